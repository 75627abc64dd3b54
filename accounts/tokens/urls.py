"""The pages of API tokens."""

from django.urls import path

from accounts.tokens import views

paths = [
    path("tokens/", views.index, name="tokens"),
    path("tokens/new/", views.new, name="new_token"),
    path("tokens/<uuid:token>/", views.detail, name="token"),
    path("tokens/<uuid:token>/new-value/", views.rotate, name="rotate_token"),
    path("tokens/<uuid:token>/revoke/", views.revoke, name="revoke_token"),
]
