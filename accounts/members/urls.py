"""The pages of the team."""

from django.urls import path

from accounts.members import views

paths = [
    path("team/", views.index, name="team"),
    path("team/who-may/", views.who, name="who_may"),
    path("team/<int:membership>/", views.detail, name="member"),
    path("team/<int:membership>/roles/", views.roles, name="member_roles"),
    path("team/<int:membership>/remove/", views.remove, name="member_remove"),
]
