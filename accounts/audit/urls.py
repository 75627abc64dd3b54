"""The pages of the audit log."""

from django.urls import path

from accounts.audit import views, views_saved

paths = [
    path("audit/", views.log, name="audit"),
    path("audit/<int:sequence>/", views.event, name="audit_event"),
    path("audit/views/new/", views_saved.new, name="new_audit_view"),
    path("audit/views/<int:view>/", views_saved.edit, name="audit_view"),
]
