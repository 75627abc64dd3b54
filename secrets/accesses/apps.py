from django.apps import AppConfig


class AccessesConfig(AppConfig):
    name = "accesses"
