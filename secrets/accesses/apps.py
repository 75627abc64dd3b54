from typing import Any

from django.apps import AppConfig


class AccessesConfig(AppConfig):
    name = "accesses"

    def ready(self) -> None:
        from accesses import health, steps, watching
        from accesses.providers.elasticsearch import keys as elasticsearch_keys
        from accounts.audit import objects
        from accounts.encryption import outside
        from accounts.roles import Permission
        from built_in import switching
        from clusters import addons
        from clusters.health import examining
        from credentials import signals
        from credentials.clouds.aws import stacks

        for step in (steps.Identities(), steps.Operator(), steps.Stores(), steps.Verify(), steps.Leftovers()):
            addons.register(step)
        addons.register(steps.Uninstall(), "uninstall")
        for kind in addons.REMOVALS:
            for step in (steps.Identities(), steps.Stores(), steps.Leftovers()):
                addons.register(step, kind)
        addons.register(steps.UninstallLast(), "remove-all")
        addons.register_watch("accesses", watching.watch)
        examining.register("operator", health.examine)
        objects.register(
            objects.Kind("accesses.Access", Permission.ACCESS_VIEW, ("cluster__name", "name"), _page)
        )
        stacks.found_by(_published)
        switching.register(_reading_built_in)
        outside.register(elasticsearch_keys.places)
        signals.credential_replaced.connect(_follow, dispatch_uid="accesses.follow")


def _page(cluster: str, name: str) -> tuple[str, dict[str, Any]]:
    return "accesses:detail", {"cluster": cluster, "access": name}


def _published(digest: str, region: str) -> str:
    """Say where the templates of credentials were published: it is one command, and one table, with those of accesses."""
    from accesses.setup import cloudformation

    return cloudformation.address(digest, region)


def _reading_built_in(organization: Any) -> list[str]:
    """Return the accesses that read an organization's built-in store, as `cluster/access`."""
    from accesses.models import Access

    found = Access.objects.owned_by(organization).filter(provider="built-in").select_related("cluster")
    return [f"{one.cluster}/{one}" for one in found]


def _follow(credential: Any, **_: Any) -> None:
    """The clusters whose accesses sign in with a replaced credential are out of date."""
    from accesses import services

    services.follow(credential)
