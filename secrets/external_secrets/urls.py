from django.urls import URLPattern

app_name = "external_secrets"
urlpatterns: list[URLPattern] = []
