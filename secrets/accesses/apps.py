from django.apps import AppConfig


class AccessesConfig(AppConfig):
    name = "accesses"

    def ready(self) -> None:
        from accesses import steps, watching
        from clusters import addons

        for step in (steps.Identities(), steps.Operator(), steps.Stores(), steps.Verify()):
            addons.register(step)
        addons.register(steps.Uninstall(), "uninstall")
        addons.register_watch("accesses", watching.watch)
