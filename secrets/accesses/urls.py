from django.urls import URLPattern

app_name = "accesses"
urlpatterns: list[URLPattern] = []
