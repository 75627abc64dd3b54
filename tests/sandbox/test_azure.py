"""What stands in for Azure refuses what Azure refuses; else a green test would prove nothing."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("azure_endpoint")]

ARM = "https://management.azure.com"
ISSUER, SUBJECT, AUDIENCE = "https://issuer.acme.example", "keyhaven-test", "api://AzureADTokenExchange"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def ask(url: str, token: str = "", form: Any = None, method: str = "GET") -> tuple[int, Any]:
    data = urllib.parse.urlencode(form).encode() if form else None
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, data=data, headers=headers, method="POST" if form else method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def sign_in(azure: Any, app: str = "console", **changes: str) -> tuple[int, Any]:
    """Ask for a token with a form that differs from a good one; an empty value is left out."""
    known = azure.apps[app]
    form = {
        "grant_type": "client_credentials", "client_id": known["client"],
        "client_secret": known["client_secret"], "scope": f"{ARM}/.default",
    } | changes  # fmt: skip
    tenant = form.pop("tenant", known["tenant"])
    sent = {name: value for name, value in form.items() if value}
    return ask(f"{azure.url}/{tenant}/oauth2/v2.0/token", form=sent)


def code(answer: tuple[int, Any]) -> int:
    assert answer[0] in (400, 401)
    (found,) = answer[1]["error_codes"]
    assert f"AADSTS{found}:" in answer[1]["error_description"]
    return int(found)


def signed(key: Any = KEY, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 600}
    return jwt.encode(claims | changes, key, algorithm="RS256")


def asserted(azure: Any, assertion: str) -> tuple[int, Any]:
    changes = {"client_secret": "", "client_assertion": assertion, "client_assertion_type": ASSERTION}
    return sign_in(azure, "reader", **changes)


@pytest.fixture
def trusting(sandbox_azure: Any) -> Any:
    """The stand-in, whose application `reader` trusts our issuer."""
    public = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    sandbox_azure.trust(ISSUER, {"keys": [public]})
    sandbox_azure.federate("reader", ISSUER, SUBJECT)
    yield sandbox_azure
    sandbox_azure.plant("unfederated", client=sandbox_azure.apps["reader"]["client"])


class TestSecrets:
    def test_a_good_secret_is_a_token(self, sandbox_azure):
        status, found = sign_in(sandbox_azure)

        claims = jwt.decode(found["access_token"], options={"verify_signature": False})
        app = sandbox_azure.apps["console"]
        assert status == 200
        assert (claims["aud"], claims["oid"], claims["appid"]) == (ARM, app["object"], app["client"])
        assert found["expires_in"] == 3599

    @pytest.mark.parametrize(
        ("changes", "wanted"),
        [
            ({"client_secret": "wrong"}, 7000215),
            ({"client_secret": ""}, 7000216),
            ({"client_id": "11111111-2222-3333-4444-555555555555"}, 700016),
            ({"tenant": "11111111-2222-3333-4444-555555555555"}, 90002),
            ({"scope": "https://elsewhere.example/.default"}, 500011),
            ({"scope": ARM}, 500011),
        ],
    )
    def test_a_wrong_one_is_refused_with_entras_code(self, sandbox_azure, changes, wanted):
        assert code(sign_in(sandbox_azure, **changes)) == wanted

    def test_one_that_ended_or_was_deleted_is_refused(self, sandbox_azure):
        client = sandbox_azure.apps["reader"]["client"]
        ended = sandbox_azure.plant("secret", client=client, seconds=-1)["secret"]
        gone = sandbox_azure.plant("secret", client=client)["secret"]
        sandbox_azure.plant("forget", client=client, secret=gone)

        assert code(sign_in(sandbox_azure, "reader", client_secret=ended)) == 7000222
        assert code(sign_in(sandbox_azure, "reader", client_secret=gone)) == 7000215

    def test_an_application_of_another_tenant_is_not_known(self, sandbox_azure):
        assert code(sign_in(sandbox_azure, "other", tenant=sandbox_azure.tenant)) == 700016


class TestAssertions:
    def test_a_good_one_is_a_token(self, trusting):
        assert asserted(trusting, signed())[0] == 200

    @pytest.mark.parametrize(
        ("changes", "wanted"),
        [
            ({"iss": "https://other.example"}, 700211),
            ({"sub": "somebody"}, 700213),
            ({"sub": SUBJECT.upper()}, 7002138),
            ({"aud": "api://other"}, 700212),
            ({"exp": 1}, 700024),
            ({"key": OTHER}, 700027),
        ],
    )
    def test_a_wrong_one_is_refused_with_entras_code(self, trusting, changes, wanted):
        assert code(asserted(trusting, signed(**changes))) == wanted

    def test_what_is_no_token_is_refused(self, trusting):
        assert code(asserted(trusting, "a.b.c")) == 50027

    def test_an_issuer_that_is_not_reached_is_said(self, trusting):
        trusting.federate("reader", "https://silent.example", SUBJECT)

        assert code(asserted(trusting, signed(iss="https://silent.example"))) == 50166


class TestResourceManager:
    @pytest.fixture
    def get(self, sandbox_azure: Any) -> Any:
        def asked(path: str, app: str = "console", method: str = "GET", token: str = "") -> tuple[int, str]:
            text = token or sign_in(sandbox_azure, app)[1]["access_token"]
            version = "" if "?" in path else "?api-version=2022-12-01"
            status, body = ask(f"{sandbox_azure.url}{path}{version}", text, method=method)
            return status, body.get("error", {}).get("code", "")

        return asked

    @pytest.fixture
    def scope(self, sandbox_azure: Any) -> str:
        return f"/subscriptions/{sandbox_azure.subscription}"

    def test_rights_are_those_of_the_role(self, get, scope, sandbox_azure):
        one = sandbox_azure.plant("clusters", name="rights")["id"]
        clusters = f"{scope}/providers/Microsoft.ContainerService/managedClusters"
        wanted = [
            (scope, "GET"),
            (clusters, "GET"),
            (one, "GET"),
            (f"{one}/listClusterUserCredential", "POST"),
        ]

        got = {
            app: [get(path, app, method)[0] for path, method in wanted]
            for app in ("console", "reader", "limited")
        }

        assert got == {"console": [200] * 4, "reader": [200, 200, 200, 403], "limited": [403] * 4}

    def test_what_is_wrong_is_refused_with_azures_code(self, get, scope, sandbox_azure):
        other = f"/subscriptions/{sandbox_azure.other_subscription}"
        vault = sign_in(sandbox_azure, scope="https://vault.azure.net/.default")[1]["access_token"]

        assert get(scope, "limited") == (403, "AuthorizationFailed")
        assert get("/subscriptions/none") == (404, "SubscriptionNotFound")
        assert get(other) == (401, "InvalidAuthenticationTokenTenant")
        assert get(f"{scope}?api-version=") == (400, "MissingApiVersionParameter")
        assert get(f"{scope}/elsewhere") == (404, "ResourceNotFound")
        assert get(scope, token="nonsense") == (401, "InvalidAuthenticationToken")
        assert get(scope, token=vault) == (401, "InvalidAuthenticationToken")

    def test_a_role_may_be_of_one_cluster(self, get, sandbox_azure):
        mine, other = (sandbox_azure.plant("clusters", name=name)["id"] for name in ("mine", "mine-2"))
        principal = sandbox_azure.apps["limited"]["object"]
        role = "Azure Kubernetes Service Cluster User Role"
        sandbox_azure.plant("assign", object=principal, role=role, scope=mine)

        assert [get(path, "limited")[0] for path in (mine, other)] == [200, 403]
