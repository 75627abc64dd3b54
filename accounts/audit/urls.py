"""The pages of the audit log."""

from django.urls import path

from accounts.audit import views, views_export, views_saved, views_settings

paths = [
    path("audit/", views.log, name="audit"),
    path("audit/export/", views_export.download, name="audit_export"),
    path("audit/digests/", views_export.download_digests, name="audit_digests"),
    path("audit/<int:sequence>/", views.event, name="audit_event"),
    path("settings/audit/", views_settings.settings, name="audit_settings"),
    path("audit/views/new/", views_saved.new, name="audit_view_new"),
    path("audit/views/<int:view>/", views_saved.edit, name="audit_view"),
]
