"""What is particular to Google: its forms, its regions, its pages, and the identities that it trusts."""

import datetime
import json
import logging
import subprocess
import sys
from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile

from accesses import manifests, providers, trials
from accesses.providers import Situation
from accesses.providers.google import forms as google_forms
from accesses.providers.google import secret_manager as gcp_secret_manager
from accesses.providers.google import ways as google
from accesses.setup import cards
from clusters import kubeconfig
from clusters.models import Cluster
from credentials.clouds import google as cloud
from sandbox import world
from tests import factories

SLUG = "gcp-secret-manager"
LIST = "secretmanager.secrets.list"
PROVIDER = providers.PROVIDERS[SLUG]
POOL = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/clusters/providers/prod"
READER = "reader@acme-secrets.iam.gserviceaccount.com"


def situation(**cluster: Any) -> Situation:
    return Situation(Cluster(name="prod", **cluster), SLUG)


def make(method: str, cluster: Any = None, **configuration: str) -> Any:
    return factories.make_access(
        provider=SLUG, method=method, credential=None, name="gcp",
        configuration={"project": "acme-secrets", "region": ""} | configuration,
        **({"cluster": cluster} if cluster else {}),
    )  # fmt: skip


# -- forms ---------------------------------------------------------------------------------------------
def errors_of(form: Any, field: str) -> str:
    assert not form.is_valid()
    return " ".join(form.errors.get(field, []))


@pytest.mark.parametrize(
    ("project", "words"),
    [
        ("", "Enter the project ID."),
        ("123456789012", "is a project's number"),
        ("Acme", "is not the ID of a project"),
        ("acme secrets", "is not the ID of a project"),
        ("acme-", "is not the ID of a project"),
        ("../acme-x", "is not the ID of a project"),
        ("acme-secrets/secrets/x", "is not the ID of a project"),
    ],
)
def test_a_project_is_an_id(project, words):
    assert words in errors_of(google_forms.AmbientForm({"project": project}), "project")


@pytest.mark.parametrize("project", ["acme-secrets", " acme-secrets ", "example.com:acme-secrets"])
def test_ids_of_projects_are_taken(project):
    form = google_forms.AmbientForm({"project": project})

    assert form.is_valid()
    assert form.configuration() == {"project": project.strip(), "region": ""}


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ("mars-west1", "mars-west1 is not a Google region"),
        ("eu-west-3", "is not a Google region"),
        ("global", "Leave the region empty for global secrets"),
        ("europe-west9-a", "is a zone. Its region is europe-west9"),
        ("x.evil.example/", "is not a Google region"),
    ],
)
def test_a_region_is_googles(region, words):
    form = google_forms.AmbientForm({"project": "acme-secrets", "region": region})

    assert words in errors_of(form, "region")


@pytest.mark.parametrize("typed", ["europe-west9", "Paris", " paris ", "EUROPE-WEST9"])
def test_a_city_is_as_good_as_its_region(typed):
    form = google_forms.AmbientForm({"project": "acme-secrets", "region": typed})

    assert form.is_valid()
    assert form.configuration()["region"] == "europe-west9"


def test_the_region_is_suggested_with_its_city_and_explained():
    page = google_forms.AmbientForm().as_p()

    assert '<option value="europe-west9" label="Paris">' in page
    assert "global ones are then not found" in page


def test_on_a_gke_cluster_its_own_project_is_the_first_guess():
    form = google_forms.AmbientForm(situation=situation(kind="gke", account="acme-prod"))

    assert form.initial["project"] == "acme-prod"


@pytest.mark.parametrize(
    ("audience", "words"),
    [
        ("", "Enter the workload identity provider."),
        ("sts.amazonaws.com", "does not name a provider"),
        ("//iam.googleapis.com/locations/global/workforcePools/p/providers/x", "workforce pool"),
        (POOL.replace("123456789012", "acme-secrets"), "acme-secrets by its ID"),
        (POOL.replace("global", "europe-west9"), "pools are global"),
        (POOL.replace("workloadIdentityPools", "pools"), "names no pool"),
        (POOL.partition("/providers")[0], "ends with the pool"),
        (POOL.removesuffix("prod"), "ends with the pool"),
        (f"{POOL}/x", "nothing follows them"),
        (POOL.replace("clusters", "Clusters"), "small letters"),
    ],
)
def test_what_is_wrong_with_an_audience_is_said(audience, words):
    form = google_forms.FederationForm({"project": "acme-secrets", "audience": audience})

    assert words in errors_of(form, "audience")


@pytest.mark.parametrize(
    "typed", [POOL, f"https:{POOL}", POOL.removeprefix("//iam.googleapis.com/"), f" {POOL} "]
)
def test_an_audience_is_taken_as_gcloud_and_the_console_write_it(typed):
    form = google_forms.FederationForm({"project": "acme-secrets", "audience": typed})

    assert form.is_valid(), form.errors
    assert form.configuration()["audience"] == POOL


@pytest.mark.parametrize("email", ["me@example.com", "reader", "a@b.iam.gserviceaccount.com", f"{READER}/x"])
def test_a_service_account_has_an_address_of_its_own_kind(email):
    form = google_forms.WorkloadIdentityForm({"project": "acme-secrets", "email": email})

    assert "not the e-mail address of a service account" in errors_of(form, "email")


@pytest.mark.sandbox
class TestKeyForm:
    @pytest.fixture
    def key(self, sandbox_google) -> str:
        return str(sandbox_google.keys["reader"])

    @pytest.fixture
    def other(self, sandbox_google) -> str:
        return str(sandbox_google.keys["other"])

    def test_the_project_is_taken_from_the_key(self, key):
        form = google_forms.KeyForm({"key": key})

        assert form.is_valid(), form.errors
        assert form.configuration() == {"project": "acme-secrets", "region": "", "email": READER}
        assert form.credential(None) == {"key": cloud.text_of(cloud.parse_key(key))}

    def test_a_file_is_as_good(self, key):
        form = google_forms.KeyForm({}, {"key_file": SimpleUploadedFile("key.json", key.encode())})

        assert form.is_valid(), form.errors
        assert form.configuration()["email"] == READER
        assert form.credential(None) == {"key": cloud.text_of(cloud.parse_key(key))}

    def test_a_key_of_another_project_is_explained_at_the_project(self, other):
        form = google_forms.KeyForm({"project": "acme-secrets", "key": other})

        said = errors_of(form, "project")
        assert "The key is of the project acme-other" in said
        assert "looked for in acme-secrets" in said
        assert "tick the box" in said

    def test_and_taken_when_that_is_meant(self, other):
        form = google_forms.KeyForm({"project": "acme-secrets", "key": other, "other_project": "on"})

        assert form.is_valid(), form.errors
        assert form.configuration()["key_project"] == "acme-other"
        assert ("Project of the key", "acme-other") in form.describe(form.configuration())

    def test_blank_keeps_the_stored_key_and_what_is_known_of_it(self, other):
        stored = {"key": cloud.text_of(cloud.parse_key(other))}
        initial = {"project": "acme-secrets", "region": "", "key_project": "acme-other"}
        form = google_forms.KeyForm(
            {"project": "acme-secrets", "other_project": "on"}, stored=stored, initial=initial
        )

        assert google_forms.KeyForm(initial=initial)["other_project"].value() is True
        assert form.is_valid(), form.errors
        assert form.configuration()["email"] == "other@acme-other.iam.gserviceaccount.com"
        assert form.credential(stored) == stored

    def test_without_any_key_it_says_so(self):
        assert "Choose the key.json, or paste it." in errors_of(google_forms.KeyForm({}), "key_file")

    def test_two_keys_are_one_too_many(self, key, other):
        upload = SimpleUploadedFile("key.json", other.encode())

        assert "Give one key" in errors_of(google_forms.KeyForm({"key": key}, {"key_file": upload}), "key")

    @pytest.mark.parametrize(
        ("content", "words"),
        [(b"", "The file is empty."), (b"\xff\x00x", "not JSON"), (b"x" * 70_000, "64 KB")],
    )
    def test_a_bad_file_is_said_at_the_file(self, content, words):
        form = google_forms.KeyForm({}, {"key_file": SimpleUploadedFile("key.json", content)})

        assert words in errors_of(form, "key_file")
        assert "key" not in form.errors

    def test_a_key_never_comes_back(self, key):
        canary = json.loads(key)["private_key"].split("\n")[1]
        refused = google_forms.KeyForm({"project": "no project", "key": key})
        broken = google_forms.KeyForm({"key": key[:-5]})

        for form in (refused, broken):
            assert not form.is_valid()
            assert canary not in form.as_p() + str(form.errors) + repr(form)
        assert 'data-secret="true"' in broken.as_p()

    @pytest.mark.django_db
    def test_a_cloud_credential_of_the_organization_is_as_good(self, organization, key):
        cluster = factories.make_cluster(organization=organization)
        facts = {"email": READER, "project": "acme-secrets", "key_id": "x"}
        made = factories.make_cloud_credential(
            organization=organization, cloud="gcp", method="key", facts=facts, secret={"key": key}
        )
        factories.make_cloud_credential(
            organization=factories.make_organization(),
            name="theirs",
            cloud="gcp",
            facts=facts,
            secret={"key": key},
        )

        form = google_forms.KeyForm({"cloud_credential": made.name}, situation=Situation(cluster, SLUG))
        foreign = google_forms.KeyForm({"cloud_credential": "theirs"}, situation=Situation(cluster, SLUG))

        assert form.is_valid(), form.errors
        assert form.aside()["cloud_credential"] == made
        assert form.credential({"key": "old"}) == {}
        assert form.configuration() == {"project": "acme-secrets", "region": "", "email": READER}
        assert not foreign.is_valid()


# -- what stands in the way ------------------------------------------------------------------------------
GKE = {"kind": "gke", "account": "acme-prod", "region": "europe-west9", "cloud_name": "prod"}
PUBLIC = "https://oidc.eks.eu-west-3.amazonaws.com/id/ABC"


@pytest.mark.parametrize(
    ("method", "cluster", "words"),
    [
        ("automatic", {"kind": "eks"}, "is not a GKE cluster"),
        ("automatic", GKE, "no cloud credential for the Google project"),
        ("workload-identity", {"kind": "kubeconfig"}, "is not a GKE cluster"),
        ("ambient", {"kind": "eks"}, "have no identity at Google"),
        ("workload-identity", GKE | {"cloud_name": ""}, "is not known"),
        ("federation", GKE, "Google trusts already"),
        ("federation", {"issuer": ""}, "does not tell who issues"),
        ("federation", {"issuer": "https://10.0.0.1:6443"}, "no cloud can reach"),
    ],
)
def test_what_is_not_possible_says_why_and_what_to_do(method, cluster, words):
    found = PROVIDER.method(method).obstacle(situation(**cluster))

    assert words in found.reason
    assert found.remedy


@pytest.mark.parametrize(
    ("method", "cluster"),
    [
        ("workload-identity", GKE),
        ("federation", {"kind": "eks", "issuer": PUBLIC}),
        ("federation", {"kind": "kubeconfig", "issuer": "https://issuer.example.com"}),
        ("key", {"kind": "eks"}),
        ("key", GKE),
        ("key", {}),
        ("ambient", GKE),
    ],
)
def test_what_is_possible_has_no_obstacle(method, cluster):
    assert PROVIDER.method(method).obstacle(situation(**cluster)) is None


# -- what it becomes in the cluster ------------------------------------------------------------------------
@pytest.mark.django_db
class TestManifests:
    @pytest.fixture
    def cluster(self):
        return factories.make_cluster(**GKE)

    @pytest.fixture
    def accesses(self, cluster, sandbox_google) -> dict[str, Any]:
        elsewhere = factories.make_cluster(issuer=PUBLIC)
        key = {"key": cloud.text_of(cloud.parse_key(sandbox_google.keys["reader"]))}
        made = {
            "automatic": make("automatic", cluster),
            "workload-identity": make("workload-identity", factories.make_cluster(**GKE), email=READER),
            "key": make("key", factories.make_cluster(), email=READER, region="europe-west9"),
            "federation": make("federation", elsewhere, audience=POOL, email=""),
            "ambient": make("ambient", factories.make_cluster()),
        }
        made["key"].credential = key
        return made

    def test_they_satisfy_the_operators_schema(self, accesses, shared, tmp_path):
        accesses["acting"] = make(
            "federation", factories.make_cluster(issuer=PUBLIC), audience=POOL, email=READER
        )
        found = [
            manifest
            for one in accesses.values()
            for manifest in (manifests.store(one), manifests.secret(one))
        ]
        file = tmp_path / "manifests.yaml"
        file.write_text(yaml.safe_dump_all(filter(None, found)))

        checked = subprocess.run(
            [sys.executable, str(shared / "tools" / "validate_manifests.py"), str(file)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert set(accesses) - {"acting"} == {method.slug for method in PROVIDER.methods}

    def test_workload_identity_names_the_cluster_and_its_service_account(self, accesses, cluster):
        one = accesses["automatic"]
        email = f"keyhaven-{one.id.hex[:8]}@acme-prod.iam.gserviceaccount.com"

        spec = manifests.store(one)["spec"]["provider"]["gcpsm"]

        assert spec == {
            "projectID": "acme-secrets",
            "auth": {
                "workloadIdentity": {
                    "clusterProjectID": "acme-prod",
                    "clusterLocation": "europe-west9",
                    "clusterName": "prod",
                    "serviceAccountRef": {"name": one.service_account, "namespace": "external-secrets"},
                }
            },
        }
        assert google.automatic_email(one) == email
        assert manifests.service_account(one)["metadata"]["annotations"] == {
            "iam.gke.io/gcp-service-account": email
        }

    def test_federation_names_the_provider_and_whom_the_token_is_for(self, accesses):
        one = accesses["federation"]

        auth = manifests.store(one)["spec"]["provider"]["gcpsm"]["auth"]["workloadIdentityFederation"]

        assert auth == {
            "audience": POOL,
            "serviceAccountRef": {
                "name": one.service_account,
                "namespace": "external-secrets",
                "audiences": [f"https:{POOL}"],
            },
        }
        assert manifests.service_account(one)["metadata"]["annotations"] == {}

    def test_a_region_becomes_a_location_and_its_absence_nothing(self, accesses):
        regional = manifests.store(accesses["key"])["spec"]["provider"]["gcpsm"]
        ambient = manifests.store(accesses["ambient"])["spec"]["provider"]["gcpsm"]

        assert regional["location"] == "europe-west9"
        assert ambient == {"projectID": "acme-secrets"}
        assert manifests.secret(accesses["ambient"]) is None
        assert manifests.service_account(accesses["ambient"]) is None

    def test_the_operator_gets_a_key_without_addresses_of_others(self, accesses, sandbox_google):
        evil = json.loads(sandbox_google.keys["reader"]) | {"token_uri": "https://evil.example/token"}
        accesses["key"].credential = {"key": json.dumps(evil)}

        data = PROVIDER.method("key").secret_data(accesses["key"])

        assert json.loads(data["key.json"])["token_uri"] == "https://oauth2.googleapis.com/token"
        assert "evil" not in data["key.json"]

    def test_a_project_of_an_old_domain_has_its_own_kind_of_address(self):
        cluster = factories.make_cluster(**GKE | {"account": "example.com:acme-prod"})

        email = google.automatic_email(make("automatic", cluster))

        assert email.endswith("@acme-prod.example.com.iam.gserviceaccount.com")


# -- names -----------------------------------------------------------------------------------------------
@pytest.mark.sandbox
@pytest.mark.django_db
@pytest.mark.usefixtures("google_endpoint")
class TestNames:
    @pytest.fixture
    def access(self, sandbox_google):
        access = make("key", email=READER)
        access.credential = {"key": sandbox_google.keys["reader"]}
        return access

    def all_of(self, access: Any, prefix: str = "") -> list[str]:
        manager, cursor, names = trials.connect(access), "", []
        while True:
            page = manager.page(prefix, cursor)
            assert len(page.entries) <= 100
            names += [entry.name for entry in page.entries]
            if not page.cursor:
                return names
            cursor = page.cursor

    def test_a_secret_that_was_just_made_is_a_change(self, access, sandbox_google):
        before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=2)
        sandbox_google.put("made-just-now", "value")

        found = trials.connect(access).changes(before)
        sandbox_google.delete("made-just-now")

        assert [entry.name for entry in found.entries] == ["made-just-now"]
        assert found.cursor == ""

    def test_an_entry_has_its_full_name_labels_and_age(self, access):
        entry = trials.connect(access).page("prod-shop-database").entries[0]

        assert entry.reference == "projects/123456789012/secrets/prod-shop-database"
        assert entry.tags == {"stage": "prod", "team": "shop"}
        assert entry.changed_at is not None
        assert entry.changed_at.tzinfo is not None

    def test_a_prefix_is_a_beginning_and_googles_filter_finds_it_anywhere(self, access):
        anywhere = [name for name in world.google_names(300) if "db-" in name]

        assert len(anywhere) > 10
        assert self.all_of(access, "db-") == []
        assert self.all_of(access, "PROD-") == []
        assert self.all_of(access, "prod-") == [n for n in world.google_names(300) if n.startswith("prod-")]

    @pytest.mark.parametrize("prefix", ["-", "-prod", "and", "OR", "not"])
    def test_words_of_googles_filter_are_no_trouble(self, access, prefix, sandbox_google):
        sandbox_google.put(f"{prefix}-x", "1")

        try:
            assert self.all_of(access, prefix) == [f"{prefix}-x"]
        finally:
            sandbox_google.delete(f"{prefix}-x")

    def test_what_no_name_can_hold_asks_nobody(self, access, settings):
        manager = trials.connect(access)
        settings.GOOGLE_ENDPOINT_URL = "http://127.0.0.1:9"

        assert manager.page("prod/shop").entries == []
        assert manager.page("ü").entries == []
        assert manager.page("x" * 256).entries == []

    def test_many_pages_of_ours_are_one_request_at_google(self, access, sandbox_google):
        sandbox_google.plant("faults", fail_page=2)

        assert len(self.all_of(access)) == 300

    def test_a_cursor_is_good_for_another_client_as_well(self, access):
        first = trials.connect(access).page()
        second = trials.connect(access).page(cursor=first.cursor)

        found = [entry.name for entry in first.entries + second.entries]
        assert found == world.google_names(300)[:200]

    def test_googles_own_pages_follow_one_another(self, access, monkeypatch):
        monkeypatch.setattr(gcp_secret_manager, "ASKED", 130)

        assert self.all_of(access) == world.google_names(300)

    def test_an_empty_page_that_is_not_the_last_is_passed_over(self, access, sandbox_google):
        sandbox_google.plant("faults", empty_pages=True)

        assert len(trials.connect(access).page().entries) == 100

    def test_endless_empty_pages_end(self, access, monkeypatch):
        monkeypatch.setattr(gcp_secret_manager, "ASKED", 10)
        beginning = world.google_names(300)[-1]

        page = trials.connect(access).page(f"-{beginning}")

        assert page.entries == []
        assert page.cursor == "0:NTA="

    def test_a_broken_cursor_is_an_error_of_ours(self, access):
        with pytest.raises(providers.ProviderError, match="not valid"):
            trials.connect(access).page(cursor="0:!!")
        assert len(trials.connect(access).page(cursor="nonsense").entries) == 100

    def test_regional_secrets_are_a_world_of_their_own(self, access):
        access.configuration["region"] = "europe-west9"

        entries = trials.connect(access).page().entries

        assert [entry.name for entry in entries] == list(world.GOOGLE_REGIONAL["europe-west9"])
        assert entries[0].reference == "projects/123456789012/locations/europe-west9/secrets/eu-audit-token"

    def test_a_region_without_regional_secrets_is_said(self, access):
        access.configuration["region"] = "asia-east1"

        with pytest.raises(providers.NotThere, match="no regional secrets in asia-east1") as refusal:
            trials.connect(access).page()

        assert "europe-west9" in refusal.value.remedy
        assert PROVIDER.method("key").field_of(refusal.value) == "project"

    def test_a_region_that_is_right_does_not_hide_what_is_wrong(self, access, sandbox_google):
        access.configuration["region"] = "europe-west9"
        access.credential = {"key": sandbox_google.keys["limited"]}

        with pytest.raises(providers.PermissionMissing):
            trials.connect(access).page()

    def test_a_project_that_is_not_there_is_one_that_one_may_not_see(self, access):
        access.configuration["project"] = "acme-nothing"

        with pytest.raises(providers.PermissionMissing, match="or there is no such project") as refusal:
            trials.connect(access).page()

        assert "projects add-iam-policy-binding acme-nothing" in refusal.value.policy
        assert f'--member="serviceAccount:{READER}"' in refusal.value.policy
        assert "roles/secretmanager.viewer" in refusal.value.policy

    def test_throttling_is_said(self, access, sandbox_google):
        sandbox_google.plant("faults", throttle=1)

        with pytest.raises(providers.Throttled):
            trials.connect(access).page()

    def test_the_test_says_whose_key_it_is_and_what_it_may(self, access, sandbox_google):
        result = trials.try_access(access)

        assert result.listed
        assert result.facts[0].text == f"As {READER}"
        assert [(fact.label, fact.ok) for fact in result.facts[2:]] == [
            ("secretmanager.versions.access", True),
            ("secretmanager.secrets.get", True),
        ]

    def test_a_cloud_credential_is_used_instead_of_a_key(self, access, sandbox_google):
        secret = {"key": sandbox_google.keys["reader"]}
        access.credential = None
        access.cloud_credential = factories.make_cloud_credential(cloud="gcp", method="key", secret=secret)

        assert len(trials.connect(access).page().entries) == 100

    def test_a_stored_text_that_is_no_key_is_refused(self, access):
        access.credential = {"key": "canary-value"}

        with pytest.raises(providers.CredentialRefused) as refusal:
            trials.connect(access)

        assert "canary" not in refusal.value.reason + repr(refusal.value)

    def test_the_operators_own_identity_is_not_the_consoles(self):
        with pytest.raises(providers.NotPossibleHere):
            trials.connect(make("ambient"))

    def test_the_consoles_own_surroundings_never_step_in(self, access, sandbox_google, tmp_path, monkeypatch):
        file = tmp_path / "adc.json"
        file.write_text(sandbox_google.keys["admin"])
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        access.credential = {}

        with pytest.raises(providers.CredentialRefused):
            trials.connect(access).page()


# -- by the cluster's own tokens ------------------------------------------------------------------------------
@pytest.mark.sandbox
@pytest.mark.django_db
@pytest.mark.usefixtures("google_endpoint")
class TestClusterTokens:
    @pytest.fixture
    def gke(self, sandbox_google):
        from sandbox.kubernetes import Cluster as Kube

        with Kube(kind="gke") as kube:
            kube.load(list(world.manifests("gke")))
            sandbox_google.trust(kube.issuer, kube.jwks())
            yield kube

    @pytest.fixture
    def eks(self, sandbox_google):
        from sandbox.kubernetes import Cluster as Kube

        with Kube(kind="eks") as kube:
            kube.load(list(world.manifests("eks")))
            sandbox_google.trust(kube.issuer, kube.jwks())
            yield kube

    def connected(self, kube: Any, **fields: Any) -> Any:
        return factories.make_cluster(
            kubeconfig=kubeconfig.reduce(kube.kubeconfig()), issuer=kube.issuer, **fields
        )

    def test_a_gke_clusters_token_lists_names_as_its_service_account(self, gke, sandbox_google):
        access = make("workload-identity", self.connected(gke, **GKE), email=READER)
        sandbox_google.bind("roles/iam.workloadIdentityUser", google.principal(access), READER)

        result = trials.try_access(access)

        assert google.principal(access).startswith(
            "serviceAccount:acme-prod.svc.id.goog[external-secrets/keyhaven-"
        )
        assert result.listed, result.reason
        assert result.facts[0].text == f"As {READER}"
        assert result.names == world.google_names(300)[:5]

    def test_the_listing_that_makes_the_trust_names_both(self, gke):
        access = make("workload-identity", self.connected(gke, **GKE), email=READER)

        listing = cards.context(access)["listing"]

        assert READER in listing
        assert f"acme-prod.svc.id.goog[external-secrets/{access.service_account}]" in listing

    def test_a_service_account_that_does_not_trust_it_is_said(self, gke):
        access = make("workload-identity", self.connected(gke, **GKE), email=READER)

        result = trials.try_access(access)

        assert not result.usable
        assert result.reason.startswith(
            "The service account may not be used by this cluster's ServiceAccount"
        )
        assert "roles/iam.workloadIdentityUser" in result.remedy
        assert result.about == "email"

    def test_a_cluster_that_google_does_not_know_is_said(self, gke):
        cluster = self.connected(gke, **GKE | {"cloud_name": "another"})

        result = trials.try_access(make("workload-identity", cluster, email=READER))

        assert result.reason == "Google has no such workload identity pool or provider, or it is disabled."

    def test_a_federated_token_lists_names_as_itself(self, eks, sandbox_google):
        audience = sandbox_google.pool("direct", "eks", eks.issuer)
        access = make("federation", self.connected(eks), audience=audience, email="")
        who = google.principal(access)
        for role in ("roles/secretmanager.viewer", "roles/secretmanager.secretAccessor"):
            sandbox_google.bind(role, who)

        result = trials.try_access(access)

        assert result.listed, result.reason
        assert result.facts[0].text == f"As {who}"
        assert who.endswith(
            f"workloadIdentityPools/direct/subject/system:serviceaccount:external-secrets:{access.service_account}"
        )

    def test_or_as_a_service_account(self, eks, sandbox_google):
        audience = sandbox_google.pool("acting", "eks", eks.issuer)
        access = make("federation", self.connected(eks), audience=audience, email=READER)
        sandbox_google.bind("roles/iam.serviceAccountTokenCreator", google.principal(access), READER)

        result = trials.try_access(access)

        assert result.listed, result.reason
        assert result.facts[0].text == f"As {READER}"

    def test_without_a_role_the_line_that_grants_it_names_the_principal(self, eks, sandbox_google):
        audience = sandbox_google.pool("bare", "eks", eks.issuer)
        access = make("federation", self.connected(eks), audience=audience, email="")

        result = trials.try_access(access)

        assert result.usable
        assert not result.listed
        assert f'--member="{google.principal(access)}" --role="roles/secretmanager.viewer"' in result.policy

    def test_names_without_values_are_told_apart(self, eks, sandbox_google):
        """Whoever may list may not always read."""
        audience = sandbox_google.pool("viewing", "eks", eks.issuer)
        access = make("federation", self.connected(eks), audience=audience, email="")
        sandbox_google.bind("roles/secretmanager.viewer", google.principal(access))

        result = trials.try_access(access)

        assert result.listed
        assert [(fact.label, fact.ok) for fact in result.facts[2:]] == [
            ("secretmanager.versions.access", False),
            ("secretmanager.secrets.get", True),
        ]
        assert result.policy.startswith("# for secretmanager.versions.access\n")
        assert '--role="roles/secretmanager.secretAccessor"' in result.policy
        assert "roles/secretmanager.viewer" not in result.policy

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"issuer": "https://issuer.example.com"}, "trusts another issuer"),
            ({"audiences": ["https://another.example.com"]}, "does not allow the audience"),
            ({"disabled": True}, "no such workload identity pool"),
            ({"condition": "google.subject == 'system:serviceaccount:other:one'"}, "attribute condition"),
        ],
    )
    def test_a_provider_that_wants_something_else_is_said(self, eks, sandbox_google, changes, words):
        audience = sandbox_google.pool("wrong", "eks", **{"issuer": eks.issuer} | changes)

        result = trials.try_access(make("federation", self.connected(eks), audience=audience, email=""))

        assert words in result.reason
        assert result.remedy
        assert result.about == "audience"
        assert not result.usable

    def test_an_issuer_that_google_cannot_reach_is_said(self, sandbox_google):
        from sandbox.kubernetes import Cluster as Kube

        with Kube(kind="eks") as kube:
            audience = sandbox_google.pool("unreached", "eks", kube.issuer)

            result = trials.try_access(make("federation", self.connected(kube), audience=audience, email=""))

        assert result.reason == "Google does not reach this cluster's issuer."

    def test_keys_that_are_not_the_issuers_are_said(self, eks, gke, sandbox_google):
        sandbox_google.trust(eks.issuer, gke.jwks())
        audience = sandbox_google.pool("forged", "eks", eks.issuer)

        result = trials.try_access(make("federation", self.connected(eks), audience=audience, email=""))

        assert "not signed with a key" in result.reason

    def test_no_token_is_told_to_the_log(self, gke, sandbox_google, caplog):
        access = make("workload-identity", self.connected(gke, **GKE), email=READER)
        sandbox_google.bind("roles/iam.workloadIdentityUser", google.principal(access), READER)
        logging.getLogger("google").addHandler(caplog.handler)

        try:
            with caplog.at_level(logging.DEBUG):
                result = trials.try_access(access)
        finally:
            logging.getLogger("google").removeHandler(caplog.handler)

        assert result.listed
        said = caplog.text + repr([vars(record) for record in caplog.records]) + repr(result)
        assert "ya29." not in said
        assert "eyJ" not in said


# -- automatic: before the first deploy ---------------------------------------------------------------------
@pytest.mark.sandbox
@pytest.mark.django_db
@pytest.mark.usefixtures("google_endpoint")
class TestRehearsal:
    def access(self, sandbox_google: Any, name: str) -> Any:
        facts = {"email": f"{name}@acme-secrets.iam.gserviceaccount.com"}
        credential = factories.make_cloud_credential(
            name="google", cloud="gcp", method="key", facts=facts, secret={"key": sandbox_google.keys[name]}
        )
        return make("automatic", factories.make_cluster(credential=credential, **GKE))

    def test_it_says_what_a_deploy_makes_and_as_whom(self, sandbox_google):
        access = self.access(sandbox_google, "admin")

        result = trials.try_access(access, made=False)

        assert result.usable
        assert result.facts[0].text == "google: admin@acme-secrets.iam.gserviceaccount.com"
        assert result.facts[1].text == f"A deploy makes {google.automatic_email(access)}"

    def test_a_credential_that_may_not_is_said(self, sandbox_google):
        result = trials.try_access(self.access(sandbox_google, "reader"), made=False)

        assert not result.usable
        assert (
            "google lacks iam.serviceAccounts.create and iam.serviceAccounts.setIamPolicy in acme-prod"
            in result.reason
        )
        assert "roles/iam.serviceAccountAdmin" in result.remedy

    def test_with_a_credential_of_google_it_is_possible(self, sandbox_google):
        access = self.access(sandbox_google, "admin")

        assert PROVIDER.method("automatic").obstacle(Situation(access.cluster, SLUG)) is None
