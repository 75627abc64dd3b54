"""The pages of what the audit log's events of services and external secrets are about."""

from typing import Any

from accounts.audit.objects import Kind
from accounts.roles import Permission


def _service(cluster: str, service: str) -> tuple[str, dict[str, Any]]:
    return "external_secrets:service", {"cluster": cluster, "service": service}


def _link(cluster: str, namespace: str, service: str | None) -> tuple[str, dict[str, Any]]:
    """A link is shown on the page of its service, or of its namespace."""
    if service is None:
        return "external_secrets:namespace", {"cluster": cluster, "namespace": namespace}
    return _service(cluster, service)


_VIEW = Permission.EXTERNAL_SECRET_VIEW
KINDS = (
    Kind("clusters.Service", _VIEW, ("cluster__name", "pk"), _service),
    Kind("external_secrets.ExternalSecret", _VIEW, ("cluster__name", "namespace", "service_id"), _link),
)
