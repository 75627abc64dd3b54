"""The pages of an organization and of the people in it."""

from django.urls import path

from accounts.organizations import views

paths = [
    path("", views.organization, name="organization"),
    path("team/", views.team, name="team"),
]
