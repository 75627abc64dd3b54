from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts.audit import checks as checks
        from accounts.audit import kinds, objects
        from accounts.sign_in import signals as signals

        for kind in kinds.KINDS:
            objects.register(kind)
