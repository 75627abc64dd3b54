"""Who uses an access: its links as a tree of namespaces, their services, and these services' variables."""

from typing import Any

from django.db.models import Count, F, QuerySet

# What is for a whole namespace comes before what its services have.
ORDER = (
    "namespace",
    F("service__name").asc(nulls_first=True),
    "service__kind",
    "container",
    "variable",
    "path",
)

# [{"name", "count", "services": [{"service", "count", "links"}]}]
type Tree = list[dict[str, Any]]


def tree(links: QuerySet[Any], limit: int) -> Tree:
    """Return the first links as a tree, by two queries; counts are of all, not only of those in it.

    A `service` of None holds what is for every service of the namespace.
    """
    of_service: dict[tuple[str, Any], int] = {}
    of_namespace: dict[str, int] = {}
    counted = links.order_by().values_list("service", "namespace").annotate(count=Count("pk"))
    for service, namespace, count in counted:
        of_service[namespace, service] = count
        of_namespace[namespace] = of_namespace.get(namespace, 0) + count
    namespaces: dict[str, dict[str, Any]] = {}
    for link in links.select_related("service", "variant", "alias_of").order_by(*ORDER)[:limit]:
        name, service = link.namespace, link.service
        count = of_namespace.get(name, 0)
        one = namespaces.setdefault(name, {"name": name, "count": count, "services": {}})
        count = of_service.get((name, link.service_id), 0)
        new = {"service": service, "count": count, "links": []}
        one["services"].setdefault(link.service_id, new)["links"].append(link)
    return [one | {"services": list(one["services"].values())} for one in namespaces.values()]
