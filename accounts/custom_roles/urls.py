"""The pages of roles."""

from django.urls import path

from accounts.custom_roles import views

paths = [
    path("roles/", views.index, name="roles"),
    path("roles/new/", views.new, name="role_new"),
    path("roles/reach/", views.reach, name="role_reach"),
    path("roles/<uuid:role>/", views.edit, name="role"),
    path("roles/<uuid:role>/delete/", views.delete, name="role_delete"),
]
