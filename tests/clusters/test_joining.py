"""The manifest of our own ServiceAccount: valid, enough for everything that the console does, and no more."""

import re
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from accesses import chart
from accesses.models import OperatorState
from clusters import addons, helm, kubeconfig, permissions, services, waiting
from clusters.joining import manifest
from clusters.models import Cluster, Service
from external_secrets.exchange import finding
from sandbox.kubernetes.operations import Options
from tests import factories
from tests.runs import make_run

SPACE = "external-secrets"
ALL = manifest.Options()
WHO = "system:serviceaccount:keyhaven:keyhaven"


def documents(options: manifest.Options = ALL) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(manifest.text(options)) if one]


def given(options: manifest.Options = ALL) -> set[tuple[str, str, str]]:
    """Return what a manifest gives, as (verb, group, resource)."""
    return {
        (verb, rule["apiGroups"][0], rule["resources"][0])
        for document in documents(options)
        for rule in document.get("rules", ())
        for verb in rule["verbs"]
    }


def test_the_manifest_has_each_need_with_the_very_words_of_its_reason():
    text = manifest.text(manifest.Options())

    assert given() == {(n.verb, n.group, n.resource) for n in permissions.NEEDS}
    for need in permissions.NEEDS:
        assert re.search(rf"# [a-z, ]*\b{need.verb}\b[a-z, ]*: {re.escape(need.needed_for)}\n", text), (
            need.label
        )


def test_every_rule_is_told_why():
    for document in manifest.text(manifest.Options()).split("---\n"):
        for rule in document.split("  - apiGroups")[:-1]:
            assert rule.rstrip().splitlines()[-1].startswith("  # ")


def test_without_the_operator_nothing_can_give_itself_more():
    options = manifest.Options(operator=False)

    found = given(options)

    assert not {one for one in found if one[1] == permissions.RBAC or one[0] in ("escalate", "bind")}
    assert ("create", "", "namespaces") not in found
    assert ("get", "", "secrets") not in found
    assert "install-the-operator" not in manifest.text(options)


def test_it_gives_no_wildcard_and_nothing_on_pods():
    for document in documents():
        for rule in document.get("rules", ()):
            words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "*" not in words
            assert not any(word.startswith("pods") for word in words)


def test_secrets_are_for_the_operators_namespace_alone():
    places = {
        document["metadata"].get("namespace")
        for document in documents(manifest.Options(namespace="eso"))
        for rule in document.get("rules", ())
        if "secrets" in rule["resources"]
    }

    assert places == {"eso"}


def test_the_validator_knows_it(shared, tmp_path):
    file = tmp_path / manifest.FILE
    file.write_text(manifest.text(manifest.Options()))

    done = subprocess.run(
        [sys.executable, str(shared / "tools" / "validate_manifests.py"), str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def kube(make_sandbox_cluster, settings, project, monkeypatch):
    monkeypatch.setattr(waiting, "LONGEST", 0.1)
    settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")
    found = make_sandbox_cluster("eks")
    found.load(manifest.text(manifest.Options()))
    return found


def own_kubeconfig(kube: Any, seconds: int = 3600) -> str:
    """Return the kubeconfig that the one line prints."""
    document = yaml.safe_load(kube.kubeconfig())
    token = kube.service_account_token("keyhaven", "keyhaven", kube.issuer, seconds)
    document["users"][0]["user"] = {"token": token}
    return kubeconfig.reduce(yaml.safe_dump(document))


@pytest.fixture
def cluster(organization, kube, aws_endpoint) -> Cluster:
    made = factories.make_cluster(organization=organization, name="prod", kubeconfig=own_kubeconfig(kube))
    return services.check(made)


def run_steps(cluster: Cluster, kind: str = "deploy") -> None:
    for step in addons.steps(kind):
        step.apply(make_run(Cluster.objects.get(pk=cluster.pk)))


@pytest.mark.sandbox
@pytest.mark.django_db
class TestInTheSandbox:
    def test_the_console_is_who_the_manifest_says_and_may_do_what_it_needs(self, cluster):
        assert cluster.identity == WHO
        assert [entry["label"] for entry in cluster.permissions if not entry["allowed"]] == []

    def test_it_is_enough_to_install_deploy_upgrade_and_uninstall_and_each_rule_is_used(
        self, cluster, kube, sandbox_cloud
    ):
        services.refresh_services(cluster)
        self.link_and_deploy(cluster, kube, sandbox_cloud)
        refused = {(method, path.split("?")[0]) for method, path, status in kube.requests if status == 403}
        finding.look(cluster)
        helm_again(cluster)
        take_away(cluster)
        run_steps(cluster)
        run_steps(cluster, "uninstall")

        # Whether others have a Secret there: not being allowed to look is no failure.
        assert all(method == "GET" and "/secrets" in path for method, path in refused), refused
        assert not OperatorState.objects.filter(cluster=cluster).exists()
        assert kube.get("CustomResourceDefinition", "externalsecrets.external-secrets.io")
        done = [one for one in kube.requests if one[2] < 400 or one[2] in (404, 409)]
        used = {right for one in done for right in asked(one)}
        assert given() - used == UNUSED.keys()

    @pytest.mark.parametrize("verb", ["escalate", "bind", "update"])
    def test_the_operator_cannot_be_installed_without_what_no_request_shows(self, cluster, kube, verb):
        for kind, name, space in (
            ("ClusterRole", "keyhaven-install-the-operator", ""),
            ("Role", "keyhaven-install-the-operator", SPACE),
        ):
            live = kube.get(kind, name, space)
            for rule in live["rules"]:
                rule["verbs"] = [
                    one for one in rule["verbs"] if one != verb or rule["resources"] == ["secrets"]
                ]
            kube.api.operations.replace(kube.store.by_kind(kind), space, name, live, Options())

        with pytest.raises(addons.StepFailed, match=r"forbidden|not currently held"):
            run_steps(cluster)

    def link_and_deploy(self, cluster, kube, sandbox_cloud):
        found = [cluster.services.filter(kind=kind).first() for kind in Service.Kind]
        key = sandbox_cloud.keys["reader"]
        static = factories.make_access(
            cluster=cluster, name="static", credential={"access_key_id": key[0], "secret_access_key": key[1]}
        )
        role = factories.make_access(cluster=cluster, name="role", method="role", credential=None)
        arn = sandbox_cloud.role(
            f"join-{role.id.hex[:8]}", kube.issuer,
            f"system:serviceaccount:{SPACE}:{role.service_account}", ["secretsmanager:*"],
        )  # fmt: skip
        role.configuration = {"region": "eu-west-3", "role_arn": arn}
        role.save()
        spaces = sorted({service.namespace for service in found})
        cluster.accesses.update(namespaces=spaces)
        static.namespaces = role.namespaces = spaces
        for service in found:
            for access in (static, role):
                factories.make_link(
                    service=service, access=access, key="prod/db-password", variable=access.name.upper(),
                    container=service.container_names[0],
                )  # fmt: skip
        run_steps(cluster)


def helm_again(cluster: Cluster) -> None:
    """Bring the same chart with other values: what an upgrade sends."""
    labels = {chart.OURS: "true", "again": "yes"}
    crds = {"annotations": {chart.POLICY: chart.KEEP, "again": "yes"}}
    helm.install_or_upgrade(
        Cluster.objects.get(pk=cluster.pk).kubeconfig, release=chart.RELEASE, namespace=SPACE,
        chart=chart.location("2.9.0"), version="2.9.0", timeout=60,
        values=chart.values() | {"commonLabels": labels, "crds": crds},
    )  # fmt: skip


def take_away(cluster: Cluster) -> None:
    cluster.external_secrets.all().delete()
    cluster.accesses.all().delete()


_HELD = "the operator's Role holds it, and only who holds a right may give it; the next test takes it away"
_LEASES = ("create", "get", "patch", "update")
# What no request shows, each with why it is given all the same.
UNUSED = {
    ("list", "", "nodes"): "the region, where nothing else tells it",
    (
        "bind",
        permissions.RBAC,
        "clusterroles",
    ): "asked about when a binding is made; the next test takes it away",
    (
        "escalate",
        permissions.RBAC,
        "clusterroles",
    ): "asked about when a role is made; the next test takes it away",
    **{(verb, "", "configmaps"): _HELD for verb in _LEASES},
    **{(verb, "coordination.k8s.io", "leases"): _HELD for verb in _LEASES},
}
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def asked(request: tuple[str, str, int]) -> list[tuple[str, str, str]]:
    """Return what a request needed the right to, as (verb, group, resource); an apply that made something, two."""
    method, target, status = request
    parts = urlsplit(target).path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[3:])
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    if not rest:
        return []
    resource = f"{rest[0]}/{rest[2]}" if len(rest) > 2 else rest[0]
    verb = "list" if method == "GET" and len(rest) == 1 else _VERBS[method]
    return [
        (verb, group, resource),
        *([("create", group, resource)] if method == "PATCH" and status == 201 else []),
    ]
