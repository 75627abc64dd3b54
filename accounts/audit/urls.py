"""The pages of the audit log."""

from django.urls import path

from accounts.audit import views

paths = [
    path("audit/", views.log, name="audit"),
]
