"""A whole deploy to a sandbox cluster, whose operator reads what the access's stand-in holds."""

import base64
from typing import Any

from accesses.models import Access, AccessDraft
from clusters import addons, kubeconfig
from clusters import services as clusters
from clusters.models import Cluster
from tests import factories
from tests.runs import make_run


def connected(kube: Any, **fields: Any) -> Cluster:
    """Connect a sandbox cluster, and know its workloads."""
    made = factories.make_cluster(name="prod", kubeconfig=kubeconfig.reduce(kube.kubeconfig()), **fields)
    found = clusters.check(made)
    clusters.refresh_services(found)
    return found


def walk(browser: Any, cluster: Cluster, provider: str, method: str, **entered: str) -> tuple[str, Access]:
    """Walk the wizard to its end as somebody who is signed in; return the page of the details, and the access."""
    base = f"/o/{cluster.organization.slug}/clusters/{cluster.name}/secret-managers/new/"
    browser.post(base)
    draft = AccessDraft.objects.latest("created_at")

    def post(step: str, **data: Any) -> None:
        answer = browser.post(f"{base}{draft.pk}/{step}/", data)
        assert answer.status_code == 302, answer.content.decode()[:20000]

    post("provider", provider=provider)
    post("authentication", method=method)
    page = browser.get(f"{base}{draft.pk}/details/").content.decode()
    post("details", name="way-in", namespaces=["shop"], **entered)
    shown = AccessDraft.objects.get(pk=draft.pk).tested_at
    assert shown is not None
    post("test", wish="save", shown=shown.isoformat())
    return page, Access.objects.get(pk=draft.pk)


def deploy(cluster: Cluster) -> None:
    for step in addons.steps():
        step.apply(make_run(Cluster.objects.get(pk=cluster.pk)))


def link(access: Any, key: str, variable: str, **fields: Any) -> Any:
    """Link a secret to the workload `api` of the namespace `shop`."""
    service = access.cluster.services.get(namespace="shop", name="api")
    return factories.make_link(service=service, access=access, key=key, variable=variable, **fields)


def data(kube: Any, made: Any) -> dict[str, str]:
    """Return what the operator wrote into a link's Secret."""
    found = kube.get("Secret", made.object_name, "shop")
    return {name: base64.b64decode(text).decode() for name, text in found["data"].items()}
