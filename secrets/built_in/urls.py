from django.urls import path

from built_in import views

app_name = "built_in"
urlpatterns = [
    path("settings/built-in-store/", views.settings, name="settings"),
]
