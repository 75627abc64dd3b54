"""The pages of notifications and forwarding."""

from django.urls import path

from accounts.outgoing import views

_ONE = "settings/notifications/<uuid:destination>/"

paths = [
    path("settings/notifications/", views.index, name="notifications"),
    path("settings/notifications/add/", views.new, name="notification_new"),
    path(_ONE, views.detail, name="notification"),
    path(f"{_ONE}edit/", views.edit, name="notification_edit"),
    path(f"{_ONE}delete/", views.delete, name="notification_delete"),
    path(f"{_ONE}test/", views.test, name="notification_test"),
    path(f"{_ONE}pause/", views.pause, name="notification_pause"),
    path(f"{_ONE}secret/", views.secret, name="notification_secret"),
    path(f"{_ONE}replay/", views.replay, name="notification_replay"),
    path(f"{_ONE}deliveries/<int:delivery>/", views.send_again, name="notification_send_again"),
]
