from django.urls import path

from credentials.views import change, detail, listing, making, removal

app_name = "credentials"
urlpatterns = [
    path("credentials/", listing.index, name="index"),
    path("credentials/new/", making.new, name="new"),
    path("credentials/new/<str:kind>/<str:file>", making.download, name="download"),
    path("credentials/<slug:credential>/", detail.detail, name="detail"),
    path("credentials/<slug:credential>/usage/", listing.usage, name="usage"),
    path("credentials/<slug:credential>/check/", detail.check, name="check"),
    path("credentials/<slug:credential>/reminders/", detail.reminders, name="reminders"),
    path("credentials/<slug:credential>/edit/", change.edit, name="edit"),
    path("credentials/<slug:credential>/delete/", removal.delete, name="delete"),
]
