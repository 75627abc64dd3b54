from typing import Any

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    name = "clusters"

    def ready(self) -> None:
        from django.db.models.signals import pre_save

        from accounts.audit import objects
        from accounts.custom_roles import preview
        from accounts.organizations import closing
        from clusters import addons, history, reach
        from clusters.joining import renewing
        from clusters.models import Cluster
        from clusters.steps import Connect
        from credentials import signals

        addons.register(Connect())
        for run in ("uninstall", *addons.REMOVALS):
            addons.register(Connect(), run)
        for kind in history.KINDS:
            objects.register(kind)
        preview.register(reach.count)
        closing.register(closing.Blocker("cluster", Cluster.objects.owned_by, "clusters:danger", "cluster"))
        pre_save.connect(renewing.note_end, sender=Cluster, dispatch_uid="clusters.note_end")
        signals.credential_replaced.connect(_follow, dispatch_uid="clusters.follow")


def _follow(credential: Any, **_: Any) -> None:
    from clusters import services

    services.follow(credential)
