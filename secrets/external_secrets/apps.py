from django.apps import AppConfig


class ExternalSecretsConfig(AppConfig):
    name = "external_secrets"
