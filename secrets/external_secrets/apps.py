"""External secrets: names browsed by prefix, linked to services, injected, and their state."""

from typing import Any

from django.apps import AppConfig


class ExternalSecretsConfig(AppConfig):
    name = "external_secrets"

    def ready(self) -> None:
        from accesses import signals
        from accounts.audit import objects
        from clusters import addons
        from external_secrets import history, steps

        for step in (steps.ApplyExternalSecrets(), steps.Inject(), steps.Observe()):
            addons.register(step)
        for run in addons.REMOVALS:
            for one in (steps.ApplyExternalSecrets(), steps.Inject()):
                addons.register(one, run)
        addons.register_watch("external_secrets", steps.watch)
        for kind in history.KINDS:
            objects.register(kind)
        for signal in (signals.access_saved, signals.access_opened):
            signal.connect(_read_names, dispatch_uid="external_secrets.read_names")


def _read_names(access: Any, **_: Any) -> None:
    from external_secrets import services

    services.read_names(access)
