"""Scaleway's API keys and Kapsule's clusters, against the stand-in."""

import base64
import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from clusters import kubeconfig, kubernetes
from clusters.joining import manifest
from credentials.clouds import errors, known
from credentials.clouds.base import Helped
from credentials.clouds.scaleway import asking, form, kapsule, keyring, policies
from sandbox import scaleway as stand_in
from sandbox.kubernetes import Cluster
from sandbox.kubernetes.identity import User
from sandbox.scaleway import IAM, MANAGER, ORGANIZATION, PROJECT, READ, Scaleway

pytestmark = pytest.mark.sandbox
GIVEN = {"project": PROJECT, "organization": ORGANIZATION, "region": "nl-ams"}


@pytest.fixture
def scaleway(settings: Any) -> Iterator[Scaleway]:
    with Scaleway() as running:
        settings.SCALEWAY_ENDPOINT_URL = running.url
        yield running


def signed(secret: dict[str, str]) -> asking.Identity:
    return asking.Identity.of(secret)


class TestIdentity:
    def test_whose_key_it_is_and_when_it_ends(self, scaleway):
        until = stand_in.now() + datetime.timedelta(days=90)
        secret = scaleway.key(bearer="aaaaaaaa-2222-4333-8444-555555555555", expires=until)

        facts = form.identify(secret, GIVEN)

        assert facts["application"] == "aaaaaaaa-2222-4333-8444-555555555555"
        assert facts["expires"] == until.isoformat()
        assert facts["made"]
        assert facts["key_id"] == secret["access_key"]
        assert secret["secret_key"] not in json.dumps(facts)

    def test_without_iam_it_is_enough_that_clusters_may_be_read(self, scaleway):
        secret = scaleway.key((READ,))

        facts = form.identify(secret, GIVEN)

        assert facts == GIVEN | {"key_id": secret["access_key"]}
        assert scaleway.requests[-1][1] == "/k8s/v1/regions/nl-ams/clusters"

    def test_without_any_permission_it_says_which(self, scaleway):
        with pytest.raises(errors.PermissionMissing, match="lacks the permission set KubernetesReadOnly"):
            form.identify(scaleway.key(()), GIVEN)

    @pytest.mark.parametrize(
        ("fault", "kind", "said"),
        [
            ((429, "{}"), errors.Throttled, "slow down"),
            ((503, "oops"), errors.NotReachable, "an error of its own (503)"),
            ((200, "<html>"), errors.NotReachable, "is not Scaleway"),
            ((302, "{}"), errors.NotReachable, "is not Scaleway"),
            ((400, '{"type": "invalid_arguments", "message": "secret words"}'), errors.NotValid, "does not take"),
            ((403, '{"type": "quotas_exceeded"}'), errors.LimitReached, "quota"),
            ((410, "[]"), errors.NotReachable, "is not Scaleway"),
            ((418, '{"type": "teapot", "message": "secret words"}'), errors.ProviderError, "refused the request (418)"),
        ],
    )  # fmt: skip
    def test_each_refusal_has_its_words_and_none_of_scaleways(self, scaleway, fault, kind, said):
        scaleway.faults["/iam"] = fault

        with pytest.raises(kind) as failure:
            form.identify(scaleway.key(), GIVEN)

        assert said in failure.value.reason
        assert "secret words" not in failure.value.reason + failure.value.remedy

    def test_an_ended_key_says_so(self, scaleway):
        with pytest.raises(errors.CredentialRefused, match="has expired"):
            form.identify(scaleway.key(expires=stand_in.now()), GIVEN)

    def test_nobody_there(self, settings):
        settings.SCALEWAY_ENDPOINT_URL = "http://127.0.0.1:9"

        with pytest.raises(errors.NotReachable):
            form.identify({"access_key": "SCW" + "A" * 17, "secret_key": "x"}, GIVEN)

    def test_the_key_is_not_in_what_is_printed_of_it(self, scaleway):
        secret = scaleway.key()

        assert secret["secret_key"] not in repr(signed(secret))


class TestKeyring:
    def test_a_new_key_lives_as_long_and_the_old_one_goes(self, scaleway):
        old = scaleway.key((READ, MANAGER), expires=stand_in.now() + datetime.timedelta(days=90))
        facts = form.identify(old, GIVEN)

        new, told = keyring.make(signed(old), facts)
        both = keyring.keys(signed(new), told)
        keyring.remove(signed(new), told, old["access_key"])
        keyring.remove(signed(new), told, old["access_key"])

        assert [key.id for key in both] == [old["access_key"], new["access_key"]]
        assert told["application"] == facts["application"]
        ends = datetime.datetime.fromisoformat(told["expires"])
        assert abs(ends - datetime.datetime.fromisoformat(facts["expires"])) < datetime.timedelta(minutes=1)
        assert [key.id for key in keyring.keys(signed(new), told)] == [new["access_key"]]
        assert form.identify(new, GIVEN)["key_id"] == new["access_key"]

    def test_who_may_not_is_told_what_it_takes(self, scaleway):
        secret = scaleway.key((READ, IAM))

        with pytest.raises(errors.PermissionMissing, match=MANAGER):
            keyring.make(signed(secret), form.identify(secret, GIVEN))

    def test_what_scaleway_cannot_do_is_said(self, scaleway):
        secret = scaleway.key()
        facts = form.identify(secret, GIVEN)

        for act in (keyring.KEYRING.disable, keyring.KEYRING.enable, keyring.KEYRING.used):
            with pytest.raises(errors.NotPossibleHere):
                act(signed(secret), facts, secret["access_key"])

    def test_without_iam_nobody_knows_whose_keys_they_are(self, scaleway):
        secret = scaleway.key((READ,))

        with pytest.raises(errors.NotPossibleHere, match="not known whose key"):
            keyring.keys(signed(secret), form.identify(secret, GIVEN))


class TestKapsule:
    def test_the_clusters_of_the_project_in_a_region_by_name(self, scaleway):
        secret = scaleway.key()
        for name in ("shop", "billing"):
            scaleway.cluster(name)
        scaleway.cluster("elsewhere", "nl-ams")
        scaleway.cluster("foreign", project=ORGANIZATION)

        found = kapsule.find(signed(secret), GIVEN, "fr-par")

        assert [one.name for one in found] == ["billing", "shop"]
        assert {one.account for one in found} == {PROJECT}

    def test_more_than_a_page(self, scaleway):
        secret = scaleway.key()
        for number in range(205):
            scaleway.cluster(f"c-{number:03}")

        assert len(kapsule.find(signed(secret), GIVEN, "fr-par")) == 205

    def test_a_cluster_is_described_with_server_and_ca_and_no_token(self, scaleway):
        secret = scaleway.key()
        cluster = scaleway.cluster("shop")

        found = kapsule.describe(signed(secret), GIVEN, {"region": "fr-par", "id": cluster})

        assert found.endpoint == f"https://{cluster}.api.k8s.fr-par.scw.cloud:6443"
        assert b"BEGIN CERTIFICATE" in base64.b64decode(found.authority)
        assert "administrators" not in repr(found)

    @pytest.mark.parametrize("status", ["creating", "deleting", "locked", "unknown"])
    def test_one_that_is_not_ready_says_why(self, scaleway, status):
        secret = scaleway.key()
        cluster = scaleway.cluster("shop", status=status)

        found = kapsule.describe(signed(secret), GIVEN, {"region": "fr-par", "id": cluster})

        assert found.blocked
        assert found.blocked.remedy

    @pytest.mark.parametrize(
        "locator", [{}, {"region": "fr-par", "id": "../../iam"}, {"region": "../x", "id": PROJECT}]
    )
    def test_a_locator_leads_nowhere_else(self, scaleway, locator):
        secret = scaleway.key()

        for act in (kapsule.describe, kapsule.token):
            with pytest.raises(errors.NotThere):
                act(signed(secret), GIVEN, locator)
        assert scaleway.requests == []

    def test_a_cluster_of_another_project_is_none_of_ours(self, scaleway):
        cluster = scaleway.cluster("foreign", project=ORGANIZATION)

        with pytest.raises(errors.NotThere, match="no cluster of the credential's project"):
            kapsule.describe(signed(scaleway.key()), GIVEN, {"region": "fr-par", "id": cluster})

    @pytest.mark.parametrize("text", ["[]", "clusters: []", "clusters: [{cluster: {server: x}}]"])
    def test_a_kubeconfig_that_is_none(self, scaleway, text):
        cluster = scaleway.cluster("shop", kubeconfig=yaml.safe_dump({"users": []}))
        scaleway.faults[f"/k8s/v1/regions/fr-par/clusters/{cluster}/kubeconfig"] = (
            200,
            json.dumps({"content": base64.b64encode(text.encode()).decode()}),
        )

        with pytest.raises(errors.NotReachable, match="cannot be read"):
            kapsule.describe(signed(scaleway.key()), GIVEN, {"region": "fr-par", "id": cluster})

    def test_the_regions_begin_with_the_credentials_own(self):
        assert kapsule.FINDER.places(GIVEN)[0] == ("nl-ams", "Amsterdam")
        assert {slug for slug, _ in kapsule.FINDER.places(GIVEN)} >= {"fr-par", "nl-ams", "pl-waw", "it-mil"}

    def test_the_steps_say_that_the_secret_key_itself_signs_in(self, settings):
        settings.BASE_URL = "https://console.example"
        facts = GIVEN | {"application": PROJECT}

        first, second = kapsule.admission(facts, None)  # type: ignore[arg-type]

        assert "the secret key itself" in first.text
        assert f"user=scaleway%3Abearer%3A{PROJECT}" in second.listings[0].text
        assert PROJECT in kapsule.refused(facts, {}).reason

    def test_a_cluster_takes_the_key_and_the_manifest_gives_what_is_needed(self, scaleway):
        secret = scaleway.key(bearer=PROJECT)
        with Cluster() as kube:
            name = f"scaleway:bearer:{PROJECT}"
            kube.load(manifest.text(manifest.Options(user=name)))
            from sandbox.kubernetes import rbac

            kube.identities.add(User(name, rbac.bound(kube.store, name), token=secret["secret_key"]))
            text = yaml.safe_load(kube.kubeconfig())
            cluster = scaleway.cluster("shop", kubeconfig=yaml.safe_dump(text))
            locator = {"region": "fr-par", "id": cluster}
            found = kapsule.describe(signed(secret), GIVEN, locator)
            token = kapsule.token(signed(secret), GIVEN, locator)
            text["users"][0]["user"] = {"token": token.text}
            text["clusters"][0]["cluster"]["certificate-authority-data"] = found.authority

            door = kubernetes.connect_text(kubeconfig.reduce(yaml.safe_dump(text)))

            assert found.endpoint == kube.url
            assert door.whoami() == name
            assert door.allowed("patch", "apps", "deployments")
            assert not door.allowed("delete", "apps", "deployments")
            assert secret["secret_key"] not in repr(token)


def test_help_and_policies_name_the_sets_and_what_is_filled_in():
    cloud, method = known("scaleway", "key")
    helped = Helped("keyhaven-x", "https://i", "https://b", GIVEN | {"application": "APP"})

    cards = method.cards(helped)

    assert len(cards) == 3
    assert f"permission-set-names.0={READ}" in cloud.policy({})
    assert PROJECT in cloud.policy(GIVEN)
    assert policies.MASTERS not in cloud.policy(GIVEN)
    assert "expires-at" in cards[2].listings[0].text
