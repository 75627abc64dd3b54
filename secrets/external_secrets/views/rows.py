"""What pages of a service and of a namespace say of each link."""

from typing import Any

from accounts.access import OrgRequest
from accounts.roles import Permission, who_may
from clusters.models import Cluster, Look
from clusters.views import clusters
from external_secrets import costs, wanted
from external_secrets.models import ExternalSecret
from external_secrets.views import addresses, lookup


def links_of(request: OrgRequest, cluster: Cluster, namespace: str) -> list[ExternalSecret]:
    """Return the links of a namespace that may be seen with what belongs to each, by one query."""
    seen = ExternalSecret.objects.inside(request.authority, Permission.EXTERNAL_SECRET_VIEW)
    found = seen.filter(cluster=cluster, namespace=namespace).select_related(*lookup.RELATED)
    return list(found.order_by("variable", "path", "container"))


def rows(request: OrgRequest, links: list[ExternalSecret], look: Look | None) -> list[dict[str, Any]]:
    """Return what a table of links shows."""
    browsed = addresses.browsed(request, links)
    names = addresses.names_of(browsed)
    return [
        {
            "link": link,
            "secret": addresses.of_secret(request.organization.slug, link, names) if link in browsed else "",
            "foreign": look.of(link.object_name) if look else [],
            "events": link.events[::-1],
            "cost": costs.of(link),
        }
        for link in links
    ]


def context(request: OrgRequest, cluster: Cluster, namespace: str) -> dict[str, Any]:
    """Return what both pages have in common."""
    place = {"cluster": cluster.name, "namespace": namespace}
    return {
        "cluster": cluster,
        "banner": clusters.banner(request, cluster),
        "can_link": request.allows(Permission.EXTERNAL_SECRET_MANAGE, **place),
        "can_browse": request.allows(Permission.SECRET_BROWSE, **place),
        "can_deploy": request.allows(Permission.DEPLOY_RUN, cluster=cluster.name),
        "who_may_link": who_may(Permission.EXTERNAL_SECRET_MANAGE),
    }


def containers(request: OrgRequest, service: Any, links: list[ExternalSecret]) -> list[dict[str, Any]]:
    """Return each container with what it gets, in order: of one name the winner first, then what it hides."""
    given = wanted.for_service(service, links)
    place = {"cluster": service.cluster.name, "namespace": service.namespace}
    # Secrets in the cluster are called after what they were made of.
    tells = request.authority.everywhere(Permission.EXTERNAL_SECRET_VIEW, **place)
    told = service.containers if tells else [_untold(one) for one in service.containers]
    return [_container(one, [each for each in given if each.container == one["name"]]) for one in told]


def _untold(container: dict[str, Any]) -> dict[str, Any]:
    """Return a container whose sources do not say which Secret they are, nor which key of it."""
    parts = {}
    for part in ("env", "mounts"):
        parts[part] = [
            one | {"source": str(one.get("source", "")).partition(" ")[0]} if isinstance(one, dict) else one
            for one in container.get(part, [])
        ]
    return container | parts | {"env_from": []}


def _container(container: dict[str, Any], given: list[wanted.Wanted]) -> dict[str, Any]:
    mounted = dict(_mount(mount) for mount in container.get("mounts", []))
    sources = {entry["name"]: str(entry["source"]) for entry in container.get("env", [])}
    named = {one.name for one in given if one.form != wanted.Form.FILE}
    variables = [
        {"name": one.name, "given": one, "coming": one.wins and one.name not in sources}
        for one in given
        if one.form != wanted.Form.FILE
    ]
    variables += [{"name": name, "source": source} for name, source in sources.items() if name not in named]
    for one in given:
        if one.own and one.form != wanted.Form.FILE:
            variables.append({"name": one.name, "source": sources.get(one.name, "")})
    files = [{"name": one.name, "given": one} for one in given if one.form == wanted.Form.FILE]
    ours = {one.name for one in given} | {one.name.rpartition("/")[0] for one in given}
    return container | {
        # The workload's own before what it hides.
        "variables": sorted(variables, key=lambda row: (str(row["name"]), "given" in row)),
        "files": files,
        "mounts": [(path, mounted[path]) for path in sorted(mounted.keys() - ours)],
    }


def _mount(mount: Any) -> tuple[str, str]:
    """Return where something is mounted and what it is; services that were discovered long ago have only the path."""
    if isinstance(mount, dict):
        return str(mount.get("path", "")), str(mount.get("source", ""))
    return str(mount), ""
