"""What stands in for Google refuses what Google refuses; else a green test would prove nothing."""

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt

from credentials.clouds import errors
from credentials.clouds import google as cloud
from sandbox import reading_google, world
from sandbox.reading import Failed

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("google_endpoint")]

PROJECT = "v1/projects/acme-secrets"
READER = "reader@acme-secrets.iam.gserviceaccount.com"


def ask(url: str, token: str = "", form: Any = None, body: Any = None) -> tuple[int, Any]:
    data = urllib.parse.urlencode(form).encode() if form else json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data=data, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def api(google: Any, name: str) -> cloud.Api:
    return cloud.Api(cloud.by_key(cloud.parse_key(google.keys[name])))


def call(google: Any, name: str, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
    return api(google, name).call(method, "any", path, "x.y.z", body, **query)


def granted(google: Any, **changes: Any) -> tuple[int, Any]:
    """Ask for a token with a signed assertion that differs from a good one."""
    key, now = json.loads(google.keys["reader"]), int(time.time())
    claims = {
        "iss": READER, "aud": "https://oauth2.googleapis.com/token", "iat": now, "exp": now + 3600,
    } | changes  # fmt: skip
    assertion = jwt.encode(crypt.RSASigner.from_service_account_info(key), claims).decode()
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    return ask(f"{google.url}/token", form=form)


class TestKeys:
    def test_a_good_assertion_is_a_token(self, sandbox_google):
        code, found = granted(sandbox_google)
        listed = ask(f"{sandbox_google.url}/{PROJECT}/secrets?pageSize=2", found["access_token"])

        assert code == 200
        assert [one["name"].rpartition("/")[2] for one in listed[1]["secrets"]] == world.google_names(300)[:2]

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"iss": "nobody@acme-secrets.iam.gserviceaccount.com"}, "account not found"),
            ({"iss": "admin@acme-secrets.iam.gserviceaccount.com"}, "Invalid JWT Signature"),
            ({"aud": "https://evil.example/token"}, "audience"),
            ({"exp": 1}, "short-lived"),
            ({"exp": int(time.time()) + 90_000}, "short-lived"),
            ({"iat": int(time.time()) + 3000}, "short-lived"),
        ],
    )
    def test_a_bad_one_is_not(self, sandbox_google, changes, words):
        code, found = granted(sandbox_google, **changes)

        assert code == 400
        assert found["error"] == "invalid_grant"
        assert words in found["error_description"]

    @pytest.mark.parametrize("token", ["", "ya29.made-up"])
    def test_without_a_token_there_is_nothing(self, sandbox_google, token):
        code, found = ask(f"{sandbox_google.url}/{PROJECT}/secrets", token)

        assert code == 401
        assert found["error"]["status"] == "UNAUTHENTICATED"

    def test_another_projects_key_reads_its_own_alone(self, sandbox_google):
        assert call(sandbox_google, "other", "GET", "v1/projects/acme-other/secrets")["totalSize"] == 1
        with pytest.raises(errors.PermissionMissing):
            call(sandbox_google, "other", "GET", f"{PROJECT}/secrets")


class TestSecrets:
    def test_pages_filters_and_totals(self, sandbox_google):
        first = call(sandbox_google, "reader", "GET", f"{PROJECT}/secrets", pageSize=10)
        second = call(
            sandbox_google,
            "reader",
            "GET",
            f"{PROJECT}/secrets",
            pageSize=10,
            pageToken=first["nextPageToken"],
        )
        some = call(sandbox_google, "reader", "GET", f"{PROJECT}/secrets", filter="name:Stripe")

        names = [one["name"].rpartition("/")[2] for one in first["secrets"] + second["secrets"]]
        assert names == world.google_names(300)[:20]
        assert first["totalSize"] == 300
        assert all("stripe" in one["name"] for one in some["secrets"])
        assert 0 < some["totalSize"] < 300

    @pytest.mark.parametrize("query", [{"pageToken": "!"}, {"filter": "name:-x"}, {"filter": "name~x"}])
    def test_nonsense_is_refused(self, sandbox_google, query):
        with pytest.raises(errors.ProviderError, match="not valid"):
            call(sandbox_google, "reader", "GET", f"{PROJECT}/secrets", **query)

    def test_values_are_read_by_version_and_the_newest_secret_is_first(self, sandbox_google):
        sandbox_google.put("zz-new", "one")
        sandbox_google.put("zz-new", "two")

        def read(version: str) -> str:
            path = f"{PROJECT}/secrets/zz-new/versions/{version}:access"
            return base64.b64decode(call(sandbox_google, "limited", "GET", path)["payload"]["data"]).decode()

        try:
            listed = call(sandbox_google, "reader", "GET", f"{PROJECT}/secrets", pageSize=1)
            assert listed["secrets"][0]["name"].endswith("/zz-new")
            assert (read("1"), read("2"), read("latest")) == ("one", "two", "two")
            with pytest.raises(errors.NotThere):
                read("3")
            assert sandbox_google.value("zz-new") == "two"
        finally:
            sandbox_google.delete("zz-new")
        with pytest.raises(errors.NotThere):
            read("latest")

    def test_a_location_knows_its_own(self, sandbox_google):
        path = f"{PROJECT}/locations/europe-west9/secrets"
        regional = call(sandbox_google, "reader", "GET", path)
        none = call(sandbox_google, "reader", "GET", f"{PROJECT}/locations/us-east1/secrets")
        one = call(sandbox_google, "reader", "GET", f"{path}/eu-audit-token")

        assert regional["totalSize"] == 3
        assert "replication" not in one
        assert none["secrets"] == []
        with pytest.raises(errors.NotThere):
            call(sandbox_google, "reader", "GET", f"{PROJECT}/locations/mars-west1/secrets")

    def test_a_condition_narrows_what_may_be_read(self, sandbox_google):
        key = sandbox_google.keys["reader"]
        policy = call(sandbox_google, "admin", "POST", f"{PROJECT}:getIamPolicy")
        narrow = {
            "role": "roles/secretmanager.secretAccessor",
            "members": ["serviceAccount:other@acme-other.iam.gserviceaccount.com"],
            "condition": {
                "expression": 'resource.name.startsWith("projects/123456789012/secrets/prod-shop-")'
            },
        }
        wider = policy | {"bindings": [*policy["bindings"], narrow]}
        call(sandbox_google, "admin", "POST", f"{PROJECT}:setIamPolicy", {"policy": wider})

        allowed = call(
            sandbox_google, "other", "GET", f"{PROJECT}/secrets/prod-shop-database/versions/latest:access"
        )

        assert key
        assert allowed["payload"]
        with pytest.raises(errors.PermissionMissing):
            call(sandbox_google, "other", "GET", f"{PROJECT}/secrets/prod-db-password/versions/latest:access")

    def test_permissions_are_tested_as_the_caller(self, sandbox_google):
        wanted = {"permissions": ["secretmanager.versions.access", "secretmanager.secrets.get"]}
        path = f"{PROJECT}/secrets/prod-shop-database:testIamPermissions"

        assert call(sandbox_google, "reader", "POST", path, wanted) == wanted
        assert (
            call(sandbox_google, "limited", "POST", path, wanted)["permissions"] == wanted["permissions"][:1]
        )

    def test_throttling_can_be_wished_for(self, sandbox_google):
        sandbox_google.plant("faults", throttle=1)

        with pytest.raises(errors.Throttled):
            call(sandbox_google, "reader", "GET", f"{PROJECT}/secrets")
        sandbox_google.plant("faults")
        assert call(sandbox_google, "reader", "GET", f"{PROJECT}/secrets")["totalSize"] == 300


class TestAdministration:
    def test_service_accounts_come_and_go(self, sandbox_google):
        email = "keyhaven-0001@acme-prod.iam.gserviceaccount.com"
        path = "v1/projects/acme-prod/serviceAccounts"
        wanted = {"accountId": "keyhaven-0001", "serviceAccount": {"displayName": "Keyhaven"}}

        made = call(sandbox_google, "admin", "POST", path, wanted)
        with pytest.raises(errors.ProviderError, match="Somebody else"):
            call(sandbox_google, "admin", "POST", path, wanted)
        seen = call(sandbox_google, "admin", "GET", f"{path}/{email}")
        call(sandbox_google, "admin", "DELETE", f"{path}/{email}")

        assert made["email"] == email
        assert seen["displayName"] == "Keyhaven"
        with pytest.raises(errors.NotThere):
            call(sandbox_google, "admin", "GET", f"{path}/{email}")
        with pytest.raises(errors.PermissionMissing):
            call(sandbox_google, "reader", "POST", path, wanted)

    def test_a_policy_that_changed_meanwhile_is_not_written_over(self, sandbox_google):
        path = f"v1/projects/acme-secrets/serviceAccounts/{READER}"
        seen = call(sandbox_google, "admin", "POST", f"{path}:getIamPolicy")
        call(sandbox_google, "admin", "POST", f"{path}:setIamPolicy", {"policy": seen})

        with pytest.raises(errors.ProviderError, match="Somebody else"):
            call(sandbox_google, "admin", "POST", f"{path}:setIamPolicy", {"policy": seen})

    def test_what_a_policy_grants_is_granted(self, sandbox_google):
        path = "v1/projects/acme-other"
        member = "serviceAccount:limited@acme-secrets.iam.gserviceaccount.com"
        with pytest.raises(errors.PermissionMissing):
            call(sandbox_google, "limited", "GET", f"{path}/secrets")
        sandbox_google.plant(
            "bindings", project="acme-other", role="roles/secretmanager.viewer", member=member
        )

        assert call(sandbox_google, "limited", "GET", f"{path}/secrets")["totalSize"] == 1

    def test_projects_have_numbers(self, sandbox_google):
        old = call(sandbox_google, "reader", "GET", PROJECT)
        new = call(sandbox_google, "reader", "GET", "v3/projects/acme-secrets")

        assert old["projectNumber"] == "123456789012"
        assert new["name"] == "projects/123456789012"

    def test_pools_can_be_made_over_iam(self, sandbox_google, kube):
        pools = f"{PROJECT}/locations/global/workloadIdentityPools"
        call(sandbox_google, "admin", "POST", pools, {}, workloadIdentityPoolId="made")
        oidc = {"issuerUri": kube.issuer, "jwksJson": json.dumps(kube.jwks())}
        call(
            sandbox_google, "admin", "POST", f"{pools}/made/providers", {"oidc": oidc},
            workloadIdentityPoolProviderId="eks",
        )  # fmt: skip

        audience = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/made/providers/eks"

        assert exchange(sandbox_google, kube, audience, f"https:{audience}")[0] == 200


@pytest.fixture
def kube() -> Any:
    from sandbox.kubernetes import Cluster

    with Cluster(kind="eks") as cluster:
        cluster.load([namespace("external-secrets"), account()])
        yield cluster


@pytest.fixture
def gke(sandbox_google) -> Any:
    from sandbox.kubernetes import Cluster

    with Cluster(kind="gke") as cluster:
        cluster.load([namespace("external-secrets"), account(READER)])
        sandbox_google.trust(cluster.issuer, cluster.jwks())
        yield cluster


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def account(email: str = "", name: str = "gcp-reader") -> dict[str, Any]:
    annotations = {"iam.gke.io/gcp-service-account": email} if email else {}
    metadata = {"name": name, "namespace": "external-secrets", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def exchange(google: Any, kube: Any, audience: str, subject: str) -> tuple[int, Any]:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": audience,
        "subject_token": kube.service_account_token("external-secrets", "gcp-reader", subject),
    }  # fmt: skip
    return ask(f"{google.url}/v1/token", form=form)


class TestExchange:
    def test_a_token_for_somebody_else_is_refused(self, sandbox_google, kube):
        sandbox_google.trust(kube.issuer, kube.jwks())
        audience = sandbox_google.pool("strict", "eks", kube.issuer)

        code, found = exchange(sandbox_google, kube, audience, "sts.amazonaws.com")

        assert code == 400
        assert "audience in ID Token" in found["error_description"]

    def test_a_token_that_ended_is_refused(self, sandbox_google, kube, monkeypatch):
        sandbox_google.trust(kube.issuer, kube.jwks())
        audience = sandbox_google.pool("stale", "eks", kube.issuer)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() - 90_000)

        code, found = exchange(sandbox_google, kube, audience, f"https:{audience}")

        assert code == 400
        assert "stale" in found["error_description"]

    def test_a_forged_token_is_refused(self, sandbox_google, kube):
        sandbox_google.trust(kube.issuer, kube.jwks())
        audience = sandbox_google.pool("forging", "eks", kube.issuer)
        kube.identities._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

        code, found = exchange(sandbox_google, kube, audience, f"https:{audience}")

        assert code == 400
        assert "signature" in found["error_description"]

    def test_a_gke_clusters_pool_takes_its_own_tokens_only(self, sandbox_google, gke, kube):
        audience = f"identitynamespace:acme-prod.svc.id.goog:{gke.issuer}"

        assert exchange(sandbox_google, gke, audience, "acme-prod.svc.id.goog")[0] == 200
        assert exchange(sandbox_google, gke, audience, "sts.amazonaws.com")[0] == 400
        assert exchange(sandbox_google, kube, audience, "acme-prod.svc.id.goog")[0] == 400

    def test_acting_as_a_service_account_is_a_role_on_it(self, sandbox_google, gke):
        audience = f"identitynamespace:acme-prod.svc.id.goog:{gke.issuer}"
        token = exchange(sandbox_google, gke, audience, "acme-prod.svc.id.goog")[1]["access_token"]
        url = f"{sandbox_google.url}/v1/projects/-/serviceAccounts/{{}}:generateAccessToken"
        admin = "admin@acme-secrets.iam.gserviceaccount.com"

        code, found = ask(url.format(admin), token, body={"lifetime": "600s"})

        assert code == 403
        assert found["error"]["details"][0]["reason"] == "IAM_PERMISSION_DENIED"


def store(auth: dict[str, Any] | None, **spec: Any) -> dict[str, Any]:
    gcpsm = {"projectID": "acme-secrets", **({"auth": auth} if auth else {}), **spec}
    return {"metadata": {"name": "gcp"}, "spec": {"provider": {"gcpsm": gcpsm}}}


REFERENCE = {"name": "gcp-reader", "namespace": "external-secrets"}


class TestOperator:
    """What plays the operator reads as the store's identity, or says what it lacks."""

    @pytest.fixture
    def by_key(self, sandbox_google, kube) -> dict[str, Any]:
        self.keep(kube, sandbox_google.keys["limited"])
        selector = REFERENCE | {"key": "key.json"}
        return store({"secretRef": {"secretAccessKeySecretRef": selector}})

    def keep(self, kube: Any, text: str) -> None:
        data = {"key.json": base64.b64encode(text.encode()).decode()}
        kube.load([{"apiVersion": "v1", "kind": "Secret", "metadata": REFERENCE, "data": data}])

    def test_by_key(self, sandbox_google, kube, by_key):
        url = sandbox_google.url

        reading_google.check(kube, by_key, url)
        found = reading_google.value(kube, by_key, {"key": "prod-shop-database"}, url)

        assert found == sandbox_google.value("prod-shop-database")
        with pytest.raises(Failed, match="Secret does not exist"):
            reading_google.value(kube, by_key, {"key": "nothing"}, url)

    def test_by_key_of_a_region(self, sandbox_google, kube, by_key):
        by_key["spec"]["provider"]["gcpsm"]["location"] = "europe-west9"

        found = reading_google.value(
            kube, by_key, {"key": "eu-audit-token", "version": "1"}, sandbox_google.url
        )

        assert found == sandbox_google.value("eu-audit-token", "europe-west9")

    @pytest.mark.parametrize(
        ("key", "words"),
        [("canary-value", "cannot be read"), ('{"type": "x"}', "cannot be read")],
    )
    def test_by_a_key_that_is_none(self, sandbox_google, kube, key, words):
        self.keep(kube, key)
        selector = REFERENCE | {"key": "key.json"}

        with pytest.raises(Failed, match=words) as failure:
            reading_google.check(
                kube, store({"secretRef": {"secretAccessKeySecretRef": selector}}), sandbox_google.url
            )

        assert "canary" not in str(failure.value)

    def test_by_a_key_that_google_refuses(self, sandbox_google, kube):
        reader, other = (json.loads(sandbox_google.keys[name]) for name in ("reader", "other"))
        self.keep(kube, json.dumps(reader | {"private_key": other["private_key"]}))
        selector = REFERENCE | {"key": "key.json"}

        with pytest.raises(Failed, match="cannot fetch token: 400 invalid_grant"):
            reading_google.check(
                kube, store({"secretRef": {"secretAccessKeySecretRef": selector}}), sandbox_google.url
            )

    def test_by_a_secret_that_is_missing(self, sandbox_google, kube):
        selector = {"name": "gone", "namespace": "external-secrets", "key": "key.json"}

        with pytest.raises(Failed, match="not found"):
            reading_google.check(
                kube, store({"secretRef": {"secretAccessKeySecretRef": selector}}), sandbox_google.url
            )

    def test_by_workload_identity(self, sandbox_google, gke):
        auth = {
            "workloadIdentity": {
                "clusterProjectID": "acme-prod", "clusterLocation": "europe-west9", "clusterName": "prod",
                "serviceAccountRef": REFERENCE,
            }
        }  # fmt: skip
        found = store(auth)
        with pytest.raises(Failed, match="cannot act as the service account: 403 PERMISSION_DENIED"):
            reading_google.check(gke, found, sandbox_google.url)
        member = "serviceAccount:acme-prod.svc.id.goog[external-secrets/gcp-reader]"
        sandbox_google.bind("roles/iam.workloadIdentityUser", member, READER)

        value = reading_google.value(gke, found, {"key": "prod-db-password"}, sandbox_google.url)

        assert value == sandbox_google.value("prod-db-password")

    def test_by_federation(self, sandbox_google, kube):
        sandbox_google.trust(kube.issuer, kube.jwks())
        audience = sandbox_google.pool("operator", "eks", kube.issuer)
        reference = REFERENCE | {"audiences": [f"https:{audience}"]}
        found = store({"workloadIdentityFederation": {"audience": audience, "serviceAccountRef": reference}})
        reading_google.check(kube, found, sandbox_google.url)
        with pytest.raises(Failed, match="code = PERMISSION_DENIED"):
            reading_google.value(kube, found, {"key": "prod-db-password"}, sandbox_google.url)
        who = "system:serviceaccount:external-secrets:gcp-reader"
        pool = "projects/123456789012/locations/global/workloadIdentityPools/operator"
        sandbox_google.bind(
            "roles/secretmanager.secretAccessor", f"principal://iam.googleapis.com/{pool}/subject/{who}"
        )

        value = reading_google.value(kube, found, {"key": "prod-db-password"}, sandbox_google.url)

        assert value == sandbox_google.value("prod-db-password")

    def test_by_a_service_account_that_is_missing(self, sandbox_google, kube):
        audience = sandbox_google.pool("missing", "eks", kube.issuer)
        reference = {"name": "gone", "namespace": "external-secrets"}

        with pytest.raises(Failed, match='serviceaccounts "gone" not found'):
            reading_google.check(
                kube,
                store({"workloadIdentityFederation": {"audience": audience, "serviceAccountRef": reference}}),
                sandbox_google.url,
            )

    def test_by_the_pods_own_identity(self, sandbox_google, kube):
        found = store(None)
        with pytest.raises(Failed, match="could not find default credentials"):
            reading_google.check(kube, found, sandbox_google.url)
        kube.ambient_google = json.loads(sandbox_google.keys["reader"])

        value = reading_google.value(kube, found, {"key": "prod-db-password"}, sandbox_google.url)

        assert value == sandbox_google.value("prod-db-password")

    def test_without_google(self, kube, by_key):
        with pytest.raises(Failed, match="Google does not answer"):
            reading_google.check(kube, by_key, "http://127.0.0.1:9")


def test_names_are_as_many_as_asked_for_and_all_can_be_ids():
    names = world.google_names(2000)

    assert len(set(names)) == len(names) == 2000
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in names)
