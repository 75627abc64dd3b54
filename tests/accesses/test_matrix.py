"""Every way in: each secret manager, from each kind of cluster, by each method, from the form to the names.

A case walks the wizard in the browser's words, then a deploy's steps, on stand-ins that refuse wrong identities.
"""

import base64
import html
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile

from accesses import manifests
from accesses.models import Access, AccessDraft
from accesses.providers import PROVIDERS
from clusters import addons, kubeconfig, waiting
from clusters import services as clusters
from clusters.models import Cluster
from credentials.clouds import aws
from external_secrets import inventory
from external_secrets.models import InventoryEntry
from sandbox import world
from tests import factories
from tests.accesses.worlds import azure_key_vault as azure_world
from tests.runs import make_run

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

READING = {
    "aws-secrets-manager": ["secretsmanager:ListSecrets", "secretsmanager:GetSecretValue"],
    "aws-parameter-store": ["ssm:DescribeParameters", "ssm:GetParameter"],
}
NAMES = {
    "aws-secrets-manager": world.names(300),
    "aws-parameter-store": sorted(f"/{name}" for name in world.names(300)[: world.PARAMETERS]),
    "gcp-secret-manager": sorted(world.google_names(300)),
    "azure-key-vault": azure_world.names(),
}
KINDS = {"eks": "", "gke": "", "aks": "", "plain": "https://oidc.acme.example"}
# (cluster, cloud) → method → why it is not possible there; an empty text says that it is.
MATRIX: dict[tuple[str, str], dict[str, str]] = {
    ("eks", "aws"): {"automatic": "", "role": "", "static": "", "ambient": "", "federation": "is an AWS cluster"},
    ("gke", "aws"): {
        "automatic": "is not an AWS cluster", "role": "is not an AWS cluster", "static": "",
        "ambient": "is not an AWS cluster", "federation": "",
    },
    ("plain", "aws"): {
        "automatic": "is not an AWS cluster", "role": "is not an AWS cluster", "static": "",
        "ambient": "is not an AWS cluster", "federation": "",
    },
    ("gke", "gcp"): {
        "automatic": "", "workload-identity": "", "key": "", "ambient": "", "federation": "is a GKE cluster",
    },
    ("eks", "gcp"): {
        "automatic": "is not a GKE cluster", "workload-identity": "is not a GKE cluster", "key": "",
        "ambient": "is not a GKE cluster", "federation": "",
    },
    ("plain", "gcp"): {
        "automatic": "is not a GKE cluster", "workload-identity": "is not a GKE cluster", "key": "",
        "ambient": "is not a GKE cluster", "federation": "",
    },
    ("aks", "azure"): {"workload-identity": "", "service-principal": "", "ambient": ""},
    ("eks", "azure"): {
        "workload-identity": "", "service-principal": "", "ambient": "is not an AKS cluster",
    },
    ("gke", "azure"): {
        "workload-identity": "", "service-principal": "", "ambient": "is not an AKS cluster",
    },
    ("plain", "azure"): {
        "workload-identity": "", "service-principal": "", "ambient": "is not an AKS cluster",
    },
}  # fmt: skip


def _cases(possible: bool) -> Iterator[Any]:
    for (kind, cloud), methods in MATRIX.items():
        for provider in (one for one in PROVIDERS.values() if one.cloud == cloud):
            for method, why in methods.items():
                if bool(why) != possible:
                    case = (kind, provider.slug, method) if possible else (kind, provider.slug, method, why)
                    yield pytest.param(*case, id=f"{provider.slug}-from-{kind}-{method}")


def test_the_matrix_has_every_method_of_every_provider():
    for (_, cloud), methods in MATRIX.items():
        for provider in (one for one in PROVIDERS.values() if one.cloud == cloud):
            assert {method.slug for method in provider.methods} == set(methods)


@dataclass
class Place:
    """A connected cluster of a kind, the clouds, and somebody who walks the wizard."""

    kube: Any
    cluster: Cluster
    aws: Any
    google: Any
    azure: Any
    browser: Any

    @property
    def base(self) -> str:
        return f"/o/acme/clusters/{self.cluster.name}/secret-managers/new/"

    def begin(self, provider: str) -> AccessDraft:
        self.browser.post(self.base)
        draft = AccessDraft.objects.latest("created_at")
        self.post(draft, "provider", provider=provider)
        return draft

    def post(self, draft: AccessDraft, step: str, **data: Any) -> Any:
        return self.browser.post(f"{self.base}{draft.pk}/{step}/", data)


@pytest.fixture
def place(organization, devops, sign_in, sandbox_cloud, aws_endpoint, sandbox_google, google_endpoint,
          sandbox_azure, azure_endpoint, make_sandbox_cluster, settings, project, monkeypatch) -> Callable[[str], Place]:  # fmt: skip
    monkeypatch.setattr(waiting, "LONGEST", 0.1)
    settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")

    def make(kind: str) -> Place:
        kube = make_sandbox_cluster(kind, KINDS[kind])
        key = sandbox_cloud.keys["console"]
        own = {
            "eks": {"account": world.ACCOUNT, "credential": factories.make_cloud_credential(
                organization=organization, secret={"access_key_id": key[0], "secret_access_key": key[1]})},
            "gke": {"credential": factories.make_cloud_credential(
                organization=organization, cloud="gcp", method="key", secret={"key": sandbox_google.keys["admin"]},
                facts={"email": "admin@acme-secrets.iam.gserviceaccount.com", "project": "acme-secrets"})},
            "aks": {},
            "plain": {},
        }[kind]  # fmt: skip
        cluster = factories.make_cluster(
            organization=organization, name="prod", kubeconfig=kubeconfig.reduce(kube.kubeconfig()), **own
        )
        clusters.check(cluster)
        clusters.refresh_services(cluster)
        sandbox_azure.plant("vaults/vault")
        return Place(kube, cluster, sandbox_cloud, sandbox_google, sandbox_azure, sign_in(devops))

    return make


def prepare(place: Place, provider: str, method: str, draft: AccessDraft) -> dict[str, Any]:
    """Do in the cloud what the page's cards say, and return what is entered into the form."""
    who = f"system:serviceaccount:external-secrets:{draft.service_account}"
    if method == "ambient":
        place.kube.ambient_aws = place.aws.keys["reader"]
        place.kube.ambient_google = place.google.keys["reader"]
        place.kube.ambient_azure = place.azure.apps["vault-reader"]
    if provider.startswith("aws"):
        return {"region": "eu-west-3"} | _aws(place, provider, method, draft, who)
    if provider.startswith("azure"):
        return {"vault": place.azure.vault, "environment": "AzureCloud"} | _azure(place, method, who)
    return {"project": "acme-secrets", "region": ""} | _google(place, method, who)


def _aws(place: Place, provider: str, method: str, draft: AccessDraft, who: str) -> dict[str, Any]:
    if method == "static":
        key = place.aws.keys["reader"]
        return {"access_key_id": key[0], "secret_access_key": key[1]}
    if method in ("role", "federation"):
        arn = place.aws.role(f"m-{draft.pk.hex[:8]}", place.kube.issuer, who, READING[provider])
        return {"role_arn": arn}
    return {"scope": "all"} if method == "automatic" else {}


def _google(place: Place, method: str, who: str) -> dict[str, Any]:
    google, email = place.google, "reader@acme-secrets.iam.gserviceaccount.com"
    if method == "key":
        return {"key": google.keys["reader"]}
    if method == "workload-identity":
        namespace, name = who.split(":")[2:]
        member = f"serviceAccount:acme-prod.svc.id.goog[{namespace}/{name}]"
        google.bind("roles/iam.workloadIdentityUser", member, account=email)
        return {"email": email}
    if method == "federation":
        audience = google.pool("clusters", "matrix", place.kube.issuer)
        pool = f"projects/{google.number}/locations/global/workloadIdentityPools/clusters"
        for role in ("roles/secretmanager.secretAccessor", "roles/secretmanager.viewer"):
            google.bind(role, f"principal://iam.googleapis.com/{pool}/subject/{who}")
        return {"audience": audience, "email": ""}
    return {}


def _azure(place: Place, method: str, who: str) -> dict[str, Any]:
    found = place.azure.apps["vault-reader"]
    ids = {"tenant": found["tenant"], "client": found["client"]}
    if method == "service-principal":
        return ids | {"client_secret": found["client_secret"]}
    if method == "workload-identity":
        place.azure.federate("vault-reader", place.kube.issuer, who)
        return ids
    return {"identity": ""}


def walk(place: Place, provider: str, method: str) -> Access:
    """Walk the wizard to its end and return the access."""
    draft = place.begin(provider)
    place.post(draft, "authentication", method=method)
    entered = prepare(place, provider, method, draft) | {"name": "way-in", "namespaces": ["shop"]}
    answer = place.post(draft, "details", **entered)
    assert answer.status_code == 302, answer.content.decode()[:20000]
    shown = AccessDraft.objects.get(pk=draft.pk).tested_at
    assert shown is not None
    answer = place.post(draft, "test", wish="save", shown=shown.isoformat())
    assert answer.status_code == 302, answer.content.decode()[:20000]
    return Access.objects.get(pk=draft.pk)


def deploy(cluster: Cluster) -> Access:
    """Run every step of a deploy."""
    for step in addons.steps():
        step.apply(make_run(Cluster.objects.get(pk=cluster.pk)))
    return Access.objects.select_related("cluster", "cloud_credential").get()


def value(here: Place, provider: str, key: str) -> str:
    """Return a secret's value, as its owner reads it."""
    read = {
        "aws-secrets-manager": here.aws.value, "aws-parameter-store": here.aws.parameter_value,
        "gcp-secret-manager": here.google.value, "azure-key-vault": here.azure.value,
    }[provider]  # fmt: skip
    return str(read(key))


@pytest.mark.parametrize(("kind", "provider", "method"), list(_cases(possible=True)))
def test_from_the_form_to_the_names(place, kind, provider, method):
    here = place(kind)
    made = walk(here, provider, method)
    service = here.cluster.services.get(namespace="shop", name="api")
    link = factories.make_link(service=service, access=made, key=NAMES[provider][0], variable="FIRST")

    access = deploy(here.cluster)

    assert access.pk == made.pk
    assert access.accepted_at
    assert access.validated is True, access.validated_reason
    synced = here.kube.get("Secret", link.object_name, "shop")
    assert base64.b64decode(synced["data"]["FIRST"]).decode() == value(here, provider, link.key)
    if method == "ambient":
        assert access.result["untried"]
        return
    assert access.verified_at, access.result
    assert access.result["listed"]
    inventory.read_all(access)
    found = InventoryEntry.objects.filter(access=access).order_by("name").values_list("name", flat=True)
    assert sorted(found) == NAMES[provider]


@pytest.mark.parametrize(("kind", "provider", "method"), list(_cases(possible=True)))
def test_its_manifests_satisfy_the_operators_schema(place, kind, provider, method, shared, tmp_path):
    access = walk(place(kind), provider, method)
    file = tmp_path / "manifests.yaml"
    secret = manifests.secret(access)
    file.write_text(yaml.safe_dump_all([*([secret] if secret else []), *manifests.preview(access)]))

    checked = subprocess.run(
        [sys.executable, str(shared / "tools" / "validate_manifests.py"), str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(("kind", "provider", "method", "why"), list(_cases(possible=False)))
def test_what_is_impossible_is_shown_with_its_reason_and_refused(place, kind, provider, method, why):
    here = place(kind)
    draft = here.begin(provider)
    label = PROVIDERS[provider].method(method).label

    page = html.unescape(here.browser.get(f"{here.base}{draft.pk}/authentication/").content.decode())
    answer = here.post(draft, "authentication", method=method)

    draft.refresh_from_db()
    assert label in page
    assert f"prod {why}" in page
    assert answer.status_code == 422
    assert f"prod {why}" in answer.content.decode()
    assert draft.method == ""


class TestWhatIsInTheWay:
    """Possible in principle, but not as the cluster is now: the page says what would make it possible."""

    def page(self, here: Place, provider: str) -> str:
        draft = here.begin(provider)
        return str(here.browser.get(f"{here.base}{draft.pk}/authentication/").content.decode())

    def test_an_issuer_that_no_cloud_reaches(self, place, monkeypatch):
        monkeypatch.setitem(KINDS, "plain", "")
        here = place("plain")

        for provider in ("aws-secrets-manager", "gcp-secret-manager"):
            page = self.page(here, provider)
            assert "which no cloud can reach" in page
            assert "--service-account-issuer" in page

    def test_a_cluster_whose_issuer_is_not_known(self, place):
        here = place("eks")
        Cluster.objects.update(issuer="")

        page = self.page(here, "aws-secrets-manager")

        assert "The OIDC issuer of prod is not known" in page

    @pytest.mark.parametrize(
        ("kind", "provider"), [("eks", "aws-parameter-store"), ("gke", "gcp-secret-manager")]
    )
    def test_no_cloud_credential_leads_to_the_settings(self, place, kind, provider):
        here = place(kind)
        Cluster.objects.update(credential=None)

        page = self.page(here, provider)

        assert "has no cloud credential for the" in page
        assert 'href="/o/acme/clusters/prod/settings/#cloud-h"' in page


class TestWrongIdentities:
    """Each has its sentence at the field that it is about, and what was typed stays."""

    def refused(self, here: Place, provider: str, method: str, **entered: Any) -> tuple[str, AccessDraft]:
        draft = here.begin(provider)
        here.post(draft, "authentication", method=method)
        answer = here.post(draft, "details", name="way-in", namespaces=["shop"], **entered)
        assert answer.status_code == 422
        return answer.content.decode(), draft

    def test_keys_that_aws_does_not_know(self, place):
        page, draft = self.refused(
            place("gke"), "aws-secrets-manager", "static", region="eu-west-3",
            access_key_id="AKIA" + "W" * 16, secret_access_key="w" * 40,
        )  # fmt: skip

        assert 'id="id_secret_access_key-error"' in page
        assert "AWS does not accept these keys." in page
        assert 'value="way-in"' in page
        draft.refresh_from_db()
        assert draft.configuration == {"region": "eu-west-3"}

    def test_temporary_keys_that_have_ended(self, place):
        here = place("gke")
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "ci", "namespace": "shop"},
        }
        here.kube.load([account])
        arn = here.aws.role(
            "m-ended", here.kube.issuer, "system:serviceaccount:shop:ci", ["secretsmanager:*"]
        )
        token = here.kube.service_account_token("shop", "ci", "sts.amazonaws.com")
        found = aws.assume_with_token(arn, token, "eu-west-3")
        here.aws.expire(found.access_key_id)

        page, _ = self.refused(
            here, "aws-secrets-manager", "static", region="eu-west-3", access_key_id=found.access_key_id,
            secret_access_key=found.secret_access_key, session_token=found.session_token,
        )  # fmt: skip

        assert "The session token has expired." in page
        assert found.session_token not in page

    def test_a_role_that_trusts_another_serviceaccount(self, place):
        here = place("eks")
        arn = here.aws.role(
            "m-wrong-sub", here.kube.issuer, "system:serviceaccount:shop:api", ["s3:GetObject"]
        )

        page, draft = self.refused(here, "aws-parameter-store", "role", region="eu-west-3", role_arn=arn)

        assert 'id="id_role_arn-error"' in page
        assert draft.service_account in page
        assert f'value="{arn}"' in page

    def test_a_role_of_another_account(self, place):
        arn = f"arn:aws:iam::{world.OTHER_ACCOUNT}:role/x"

        page, _ = self.refused(place("eks"), "aws-secrets-manager", "role", region="eu-west-3", role_arn=arn)

        assert f"in the account {world.OTHER_ACCOUNT}, but the cluster is in {world.ACCOUNT}" in page

    def test_a_key_of_another_project(self, place):
        here = place("eks")

        page, _ = self.refused(
            here, "gcp-secret-manager", "key", project="acme-secrets", key=here.google.keys["other"]
        )

        assert 'id="id_project-error"' in page
        assert "acme-other" in page
        assert "PRIVATE KEY" not in page

    def test_a_pool_that_trusts_another_cluster(self, place):
        here = place("eks")
        audience = here.google.pool("clusters", "theirs", "https://elsewhere.example")

        page, _ = self.refused(
            here, "gcp-secret-manager", "federation", project="acme-secrets", audience=audience
        )

        assert 'id="id_audience-error"' in page
        assert "trusts another issuer" in page

    def test_a_service_account_that_does_not_trust_the_cluster(self, place):
        here = place("gke")
        email = "limited@acme-secrets.iam.gserviceaccount.com"

        page, _ = self.refused(
            here, "gcp-secret-manager", "workload-identity", project="acme-secrets", email=email
        )

        assert 'id="id_email-error"' in page
        assert "roles/iam.workloadIdentityUser" in page


def test_no_key_of_google_comes_back_in_any_page(place):
    here = place("eks")
    walk(here, "gcp-secret-manager", "key")
    secret = json.loads(here.google.keys["reader"])["private_key"].splitlines()[1]

    for path in ("", "edit/"):
        page = here.browser.get(f"/o/acme/clusters/prod/secret-managers/way-in/{path}").content.decode()
        assert "PRIVATE KEY" not in page
        assert secret not in page


def test_an_uploaded_key_is_kept_when_the_project_is_wrong(place):
    here = place("eks")
    draft = here.begin("gcp-secret-manager")
    here.post(draft, "authentication", method="key")
    file = SimpleUploadedFile("key.json", here.google.keys["reader"].encode(), "application/json")

    wrong = here.post(
        draft, "details", name="gcp", namespaces=["shop"], project="Wrong Project", key_file=file
    )
    right = here.post(draft, "details", name="gcp", namespaces=["shop"], project="acme-secrets")

    page = wrong.content.decode()
    draft.refresh_from_db()
    assert wrong.status_code == 422
    assert "is not the ID of a project" in page
    assert "Choose the file once more" not in page
    assert right.status_code == 302
    assert draft.result["listed"], draft.result
