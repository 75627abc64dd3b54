from django.apps import AppConfig


class ClustersConfig(AppConfig):
    name = "clusters"

    def ready(self) -> None:
        from clusters import addons
        from clusters.steps import Connect

        addons.register(Connect())
        addons.register(Connect(), "uninstall")
