"""What the console asks the cluster to be allowed is enough for a whole deploy, and no more than is listed."""

from typing import Any

import pytest

from accesses import variants
from clusters import addons, kubeconfig, kubernetes, permissions, waiting
from clusters import services as clusters
from clusters.models import Cluster
from sandbox import world
from tests import factories
from tests.runs import make_run

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

SPACE = "external-secrets"


def rules() -> list[dict[str, Any]]:
    """Return the permissions page's list, without installing, as rules of a role."""
    found = []
    for need in permissions.NEEDS:
        if need.part == permissions.Part.INSTALL:
            continue
        rule: dict[str, Any] = {"apiGroups": [need.group], "resources": [need.resource], "verbs": [need.verb]}
        if need.names:
            rule["resourceNames"] = list(need.named(SPACE))
        if need.in_operator_namespace:
            rule["namespaces"] = [SPACE]
        found.append(rule)
    return found


@pytest.fixture
def kube(make_sandbox_cluster, settings, project, monkeypatch):
    monkeypatch.setattr(waiting, "LONGEST", 0.1)
    settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")
    return make_sandbox_cluster("eks")


@pytest.fixture
def cluster(organization, kube, aws_endpoint, sandbox_cloud) -> Cluster:
    """A cluster whose operator is there already: installing it is Helm's, and needs what its chart holds."""
    made = factories.make_cluster(
        organization=organization, name="prod", kubeconfig=kubeconfig.reduce(kube.kubeconfig())
    )
    clusters.check(made)
    deploy(made)
    kube.add_user("keyhaven", rules())
    Cluster.objects.filter(pk=made.pk).update(operator_namespace=SPACE)
    found = Cluster.objects.get(pk=made.pk)
    found.kubeconfig = kubeconfig.reduce(kube.kubeconfig("keyhaven"))
    found.save()
    return clusters.check(found)


def deploy(cluster: Cluster) -> None:
    for step in addons.steps():
        step.apply(make_run(Cluster.objects.get(pk=cluster.pk)))


def test_every_listed_permission_is_seen_as_given(cluster):
    denied = [
        need.part
        for need, entry in zip(permissions.NEEDS, cluster.permissions, strict=True)
        if not entry["allowed"]
    ]
    assert set(denied) == {permissions.Part.INSTALL}


def test_they_are_enough_for_a_deploy_with_keys_and_with_a_role(cluster, kube, sandbox_cloud):
    clusters.refresh_services(cluster)
    key = sandbox_cloud.keys["reader"]
    service = cluster.services.get(namespace="shop", name="api")
    static = factories.make_access(
        cluster=cluster, name="static", credential={"access_key_id": key[0], "secret_access_key": key[1]}
    )
    role = factories.make_access(cluster=cluster, name="role", method="role", credential=None)
    arn = sandbox_cloud.role(
        f"least-{role.id.hex[:8]}", kube.issuer, f"system:serviceaccount:{SPACE}:{role.service_account}",
        ["secretsmanager:*"],
    )  # fmt: skip
    role.configuration = {"region": "eu-west-3", "role_arn": arn}
    role.save()
    links = [
        factories.make_link(
            service=service, access=access, key="prod/db-password", variable=access.name.upper()
        )
        for access in (static, role)
    ]
    other = variants.planned(role, role_arn=arn.replace("least-", "other-"))
    sandbox_cloud.role(
        f"other-{role.id.hex[:8]}", kube.issuer, f"system:serviceaccount:{SPACE}:{other.service_account}",
        ["secretsmanager:*"],
    )  # fmt: skip
    elsewhere = {static: {"region": world.REGIONS[1]}, role: {"role_arn": other.role_arn}}
    links += [
        factories.make_link(
            service=service, access=access, key="prod/db-password", variable=f"ELSEWHERE_{access.name.upper()}",
            variant=variants.use(access, **overrides),
        )
        for access, overrides in elsewhere.items()
    ]  # fmt: skip
    more = {"access": static, "key": "prod/db-password", "container": "", "restart_on_change": True}
    links += [
        factories.make_link(service=service, variable="", target="file", path="/vault/secrets/db", **more),
        factories.make_link(service=None, namespace="shop", variable="EVERYWHERE", **more),
    ]
    kube.requests.clear()

    deploy(cluster)

    refused = {(method, path.split("?")[0]) for method, path, status in kube.requests if status in (401, 403)}
    # These say whether something of others is there; not being allowed to look is no failure.
    others = {one for one in refused if one[0] != "GET" or "/secrets" not in one[1]}
    # Every cluster lets ServiceAccounts read that; this identity is none.
    assert others <= {("GET", "/.well-known/openid-configuration")}
    for link in links:
        assert kube.get("Secret", link.object_name, "shop")
        link.delete()
    for access in (static, role):
        access.delete()
    deploy(cluster)
    assert [one["metadata"]["name"] for one in kube.list("ClusterSecretStore")] == []
    assert [
        one["metadata"]["name"]
        for one in kube.list("ServiceAccount", SPACE)
        if "keyhaven" in one["metadata"]["name"]
    ] == []


@pytest.mark.parametrize(
    ("verb", "resource", "namespace"),
    [
        ("get", "secrets", ""), ("get", "secrets", "shop"), ("get", "secrets", SPACE), ("list", "secrets", ""),
        ("watch", "secrets", SPACE), ("create", "serviceaccounts/token", "kube-system"),
        ("create", "pods/exec", "shop"), ("delete", "namespaces", ""),
    ],
)  # fmt: skip
def test_what_is_not_listed_is_not_asked_for(cluster, verb, resource, namespace):
    door = kubernetes.connect(cluster)

    assert not door.allowed(verb, "", resource, namespace)


def test_they_are_enough_for_files_and_a_restart_and_say_what_variables_of_several_lack(
    cluster, kube, sandbox_cloud
):
    clusters.refresh_services(cluster)
    key = sandbox_cloud.keys["reader"]
    service = cluster.services.get(namespace="shop", name="api")
    access = factories.make_access(
        cluster=cluster, name="static", credential={"access_key_id": key[0], "secret_access_key": key[1]}
    )
    sandbox_cloud.put("prod/least-json", '{"user": "shop"}')
    shared = {"service": service, "access": access, "container": service.container_names[0]}
    file = factories.make_link(
        key="prod/db-password",
        variable="",
        target="file",
        path="/vault/least/db",
        restart_on_change=True,
        **shared,
    )
    factories.make_link(
        key="prod/least-json", variable="", target="file", path="/vault/all", takes="keys", **shared
    )
    deploy(cluster)
    several = factories.make_link(key="prod/least-json", variable="LEAST_", takes="keys", **shared)

    with pytest.raises(
        addons.StepFailed, match=f"may not look at the Secret {several.object_name} in shop"
    ) as failure:
        deploy(cluster)

    assert "get Secrets there" in failure.value.remedy
    pod = kube.get("Deployment", "api", "shop")["spec"]["template"]["spec"]
    paths = {one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    assert {"/vault/least", "/vault/all"} <= paths
    assert kube.get("Secret", file.object_name, "shop")

    kube.add_user("keyhaven", [*rules(), {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}])
    cluster.kubeconfig = kubeconfig.reduce(kube.kubeconfig("keyhaven"))
    cluster.save()
    deploy(cluster)

    pod = kube.get("Deployment", "api", "shop")["spec"]["template"]
    assert "LEAST_USER" in {one["name"] for one in pod["spec"]["containers"][0]["env"]}
    assert "keyhaven.io/synced" in pod["metadata"]["annotations"]
