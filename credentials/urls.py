from django.urls import path

from credentials import views

app_name = "credentials"
urlpatterns = [
    path("credentials/", views.index, name="index"),
    path("credentials/new/", views.new, name="new"),
    path("credentials/<slug:credential>/", views.detail, name="detail"),
    path("credentials/<slug:credential>/check/", views.check, name="check"),
    path("credentials/<slug:credential>/edit/", views.edit, name="edit"),
    path("credentials/<slug:credential>/delete/", views.delete, name="delete"),
]
