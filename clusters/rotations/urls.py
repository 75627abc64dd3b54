from django.urls import path

from clusters.rotations import views

_ONE = "credentials/<slug:credential>/rotations/<uuid:rotation>/"
rotation_urls = [
    path("credentials/<slug:credential>/rotate/", views.rotate, name="rotate"),
    path(_ONE, views.show, name="rotation"),
    path(f"{_ONE}deploy/", views.deploy, name="rotation_deploy"),
    path(f"{_ONE}ask/", views.ask, name="rotation_ask"),
    path(f"{_ONE}retire/", views.retire, name="rotation_retire"),
    path(f"{_ONE}take-back/", views.take_back, name="rotation_take_back"),
]
