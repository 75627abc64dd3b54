from django.apps import AppConfig


class BuiltInConfig(AppConfig):
    name = "built_in"
