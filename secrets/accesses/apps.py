from typing import Any

from django.apps import AppConfig


class AccessesConfig(AppConfig):
    name = "accesses"

    def ready(self) -> None:
        from accesses import steps, watching
        from clusters import addons
        from credentials import signals

        for step in (steps.Identities(), steps.Operator(), steps.Stores(), steps.Verify(), steps.Leftovers()):
            addons.register(step)
        addons.register(steps.Uninstall(), "uninstall")
        addons.register_watch("accesses", watching.watch)
        signals.credential_replaced.connect(_follow, dispatch_uid="accesses.follow")


def _follow(credential: Any, **_: Any) -> None:
    """The clusters whose accesses sign in with a replaced credential are out of date."""
    from accesses import services

    services.follow(credential)
