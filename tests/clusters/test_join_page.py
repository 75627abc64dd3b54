"""The manifest for everybody to read, and the commands of the page, run by real kubectl and a real shell."""

import subprocess
from typing import Any

import pytest
import yaml
from django.template.loader import render_to_string
from django.utils.html import escape

from clusters import joining, kubeconfig, kubernetes, permissions
from clusters.joining import asking, manifest
from sandbox.kubernetes import Cluster
from tests.tools import need, which

ADDRESS = f"/setup/{manifest.FILE}"


def test_anybody_reads_the_manifest(client):
    answer = client.get(ADDRESS)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/yaml; charset=utf-8"
    assert answer.content.decode() == manifest.text(manifest.Options())
    assert not answer.cookies


def test_its_options_are_of_the_address(client):
    answer = client.get(ADDRESS, {"namespace": "eso", "operator": "no", "renew": "no"})

    text = answer.content.decode()
    assert text == manifest.text(manifest.Options("eso", operator=False, renew=False))
    assert "keyhaven-renew" not in text
    assert "external-secrets," not in text


@pytest.mark.parametrize(("kind", "name"), [("user", "scaleway:bearer:1-2"), ("group", "keyhaven")])
def test_the_roles_can_be_for_whom_the_clusters_cloud_names(client, kind, name):
    answer = client.get(ADDRESS, {kind: name})

    found = list(yaml.safe_load_all(answer.content))
    bindings = [one for one in found if one and one["kind"].endswith("Binding")]
    subject = {"kind": kind.capitalize(), "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    assert bindings
    assert all(one["subjects"] == [subject] for one in bindings)
    assert not [one for one in found if one and one["kind"] == "ServiceAccount"]
    assert "keyhaven-renew" not in answer.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        {"namespace": "a\nkind: Evil"}, {"namespace": "Upper"}, {"namespace": "{operator}"}, {"namespace": "a" * 64},
        {"user": "a", "group": "b"}, {"group": "system:authenticated"}, {"user": "a\nb"}, {"user": ""},
        {"namespace": ""}, {"operator": "maybe"}, {"renew": ""}, {"other": "1"},
    ],
)  # fmt: skip
def test_other_options_are_refused_without_repeating_them(client, query):
    answer = client.get(ADDRESS, query)

    assert answer.status_code == 400
    text = answer.content.decode()
    assert text.startswith("# ")
    assert text.count("\n") == 1
    assert "Evil" not in text


def test_the_address_says_what_is_chosen(settings):
    settings.BASE_URL = "https://console.example"

    assert asking.address(manifest.Options()) == "https://console.example/setup/keyhaven-cluster.yaml"
    chosen = manifest.Options("eso", operator=False)
    assert asking.address(chosen).endswith("?namespace=eso&operator=no")


def test_the_page_has_every_rule_with_its_reasons():
    page = render_to_string("clusters/join.html", {"joining": joining.context("eso")})

    for need_ in permissions.NEEDS:
        assert escape(need_.needed_for) in page
    assert "namespace=eso" in page
    assert "serviceaccounts/token" in page


@pytest.mark.sandbox
class TestByHand:
    @pytest.fixture
    def cluster(self) -> Any:
        with Cluster() as running:
            yield running

    @pytest.fixture
    def shell(self, cluster, tmp_path) -> Any:
        need(which("kubectl"), "kubectl")
        file = tmp_path / "config"
        file.write_text(cluster.kubeconfig())

        def run(script: str, **more: Any) -> str:
            done = subprocess.run(
                ["/bin/sh", "-c", script], capture_output=True, text=True, check=False,
                env={"KUBECONFIG": str(file), "HOME": str(tmp_path), "PATH": f"{which('kubectl').rsplit('/', 1)[0]}:/usr/bin:/bin"},
                **more,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return done.stdout

        return run

    def test_kubectl_takes_the_manifest_and_the_lines_print_a_kubeconfig_that_works(self, shell, cluster):
        shell("kubectl apply -f -", input=manifest.text(manifest.Options()))

        printed = shell(asking.kubeconfig_command())

        reduced = kubeconfig.reduce(printed)
        door = kubernetes.connect_text(reduced)
        assert door.whoami() == "system:serviceaccount:keyhaven:keyhaven"
        assert cluster.token() not in printed
        assert yaml.safe_load(printed)["clusters"][0]["cluster"]["server"] == cluster.url

    def test_it_can_be_applied_again(self, shell):
        shell("kubectl apply -f -", input=manifest.text(manifest.Options()))

        again = shell("kubectl apply -f -", input=manifest.text(manifest.Options()))

        assert "configured" not in again

    def test_a_kubeconfig_without_authority_takes_the_clusters_own(self, shell, cluster, tmp_path):
        shell("kubectl apply -f -", input=manifest.text(manifest.Options()))
        cluster.load(
            [
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": "kube-root-ca.crt", "namespace": "keyhaven"},
                    "data": {"ca.crt": cluster.ca_pem},
                }
            ]
        )
        document = yaml.safe_load((tmp_path / "config").read_text())
        del document["clusters"][0]["cluster"]["certificate-authority-data"]
        document["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
        (tmp_path / "config").write_text(yaml.safe_dump(document))

        printed = shell(asking.kubeconfig_command())

        assert kubernetes.connect_text(kubeconfig.reduce(printed)).whoami().endswith(":keyhaven:keyhaven")
