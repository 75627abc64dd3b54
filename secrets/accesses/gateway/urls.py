from django.urls import path

from accesses.gateway import views

urlpatterns = [path("<uuid:access>/secret", views.secret, name="gateway")]
