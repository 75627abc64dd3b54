"""The pages of an organization, and of those who have none."""

from django.urls import path

from accounts.organizations import tags, views

paths = [
    path("", views.organization, name="organization"),
    path("settings/", views.settings, name="settings"),
    path("settings/rename/", views.rename, name="rename"),
    path("settings/tags/", tags.default_tags, name="default_tags"),
    path("settings/transfer/", views.transfer, name="transfer"),
    path("settings/leave/", views.leave, name="leave"),
    path("settings/delete/", views.delete, name="delete_organization"),
]
personal = [
    path("organizations/new/", views.new, name="new_organization"),
]
