"""Signing in to Google: which keys are taken, where requests go, how long they take, what refusals mean."""

import contextlib
import http.server
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from credentials.clouds import errors, google
from credentials.clouds.google import errors as google_errors
from credentials.clouds.google import regions as google_regions
from credentials.clouds.google import wire as google_wire

LIST = "secretmanager.secrets.list"


def pem(key: Any, password: bytes | None = None) -> str:
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock).decode()


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
GOOD = {
    "type": "service_account",
    "project_id": "acme-secrets",
    "private_key_id": "abc123",
    "private_key": pem(RSA),
    "client_email": "reader@acme-secrets.iam.gserviceaccount.com",
    "client_id": "1",
}


def text(**changes: Any) -> str:
    return json.dumps(GOOD | changes)


def names(key: str) -> list[str]:
    credentials = google.by_key(google.parse_key(key))
    with google.translated(LIST, "the policy"):
        pages = google.secret_manager(credentials).list_secrets(
            {"parent": "projects/acme-secrets"}, retry=None
        )
        return [secret.name for secret in next(iter(pages.pages)).secrets]


class TestKeys:
    def test_its_facts_are_told_and_its_addresses_dropped(self):
        key = google.parse_key(
            text(token_uri="http://169.254.169.254/", universe_domain="evil.example", more="x")
        )

        assert google.facts(key) == {
            "email": "reader@acme-secrets.iam.gserviceaccount.com",
            "project": "acme-secrets",
            "key_id": "abc123",
        }
        assert "evil.example" not in google.text_of(key)
        assert "169.254" not in google.text_of(key)
        assert google.parse_key(google.text_of(key)) == key

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ("", "not JSON"),
            ("canary-value", "not JSON"),
            ('{"type": "service_account", "private_key": "canary-value"', "not JSON"),
            ("[" * 50_000, "not JSON"),
            ('["canary-value"]', "not an object"),
            ("{}", "its type is not service_account"),
            (text(type="authorized_user"), "a person's sign-in"),
            (text(type="external_account"), "workload identity federation"),
            (text(type="impersonated_service_account"), "impersonates"),
            (text(type=["canary-value"]), "its type is not service_account"),
            ('{"installed": {"client_secret": "canary-value"}}', "OAuth client"),
            ('{"web": {"client_secret": "canary-value"}}', "OAuth client"),
            (text(client_email=None), "lacks client_email"),
            (text(project_id="", private_key_id=7), "lacks project_id, private_key_id"),
            (text(client_email="canary-value"), "client_email is not"),
            (text(client_email="a@evil.example/x?.gserviceaccount.com"), "client_email is not"),
            (text(project_id="canary value"), "project_id is not"),
            (text(project_id="../canary"), "project_id is not"),
            (text(private_key_id="canary value"), "private_key_id is not"),
            (text(client_id="canary-value"), "client_id is not"),
            (text(private_key="canary-value"), "cannot be read"),
            (text(private_key=pem(RSA)[:-200]), "cannot be read"),
            (text(private_key=pem(RSA, b"canary-value")), "cannot be read"),
            (text(private_key=pem(ec.generate_private_key(ec.SECP256R1()))), "not an RSA key"),
            (text(more="canary-value" * 10_000), "larger than 64 KB"),
        ],
    )
    def test_what_is_no_key_is_refused_without_quoting_it(self, given, words):
        with pytest.raises(google.KeyRefused, match=words) as refusal:
            google.parse_key(given)

        assert "canary" not in str(refusal.value)
        assert refusal.value.__cause__ is None

    def test_line_breaks_that_got_lost_are_put_back(self):
        """The operator's reader of keys wants them."""
        key = google.parse_key(text(private_key=pem(RSA).replace("\n", " ")))

        assert key["private_key"] == pem(RSA)

    def test_the_mark_that_editors_of_windows_put_in_front_is_no_part_of_it(self, sandbox_google):
        text = sandbox_google.keys["reader"].replace("\n", "\r\n")

        assert google.parse_key("\ufeff" + text) == google.parse_key(text)

    def test_the_projects_of_old_domains_are_projects(self):
        key = google.parse_key(text(project_id="example.com:acme-secrets"))

        assert google.facts(key)["project"] == "example.com:acme-secrets"


class Listener(http.server.BaseHTTPRequestHandler):
    """Answers what the test wants and keeps what was asked."""

    protocol_version = "HTTP/1.0"

    def _serve(self) -> None:
        server: Any = self.server
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server.seen.append(self.path)
        code, headers, body = server.answers[min(len(server.seen), len(server.answers)) - 1]
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _serve

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def listening(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[Any]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    server.answers, server.seen = answers or ((200, {}, b"{}"),), []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class Token:
    """Credentials that have a token already, so that only the question is asked."""

    def __new__(cls) -> Any:
        from google.oauth2 import credentials

        return credentials.Credentials("t0ken")


@pytest.mark.sandbox
class TestWhereRequestsGo:
    def test_the_address_in_a_key_is_never_called(self, sandbox_google, google_endpoint):
        with listening() as evil:
            mine = json.loads(sandbox_google.keys["reader"]) | {
                "token_uri": f"{evil.url}/token",
                "auth_uri": f"{evil.url}/auth",
                "universe_domain": f"127.0.0.1:{evil.server_port}",
                "auth_provider_x509_cert_url": f"{evil.url}/certs",
            }

            found = names(json.dumps(mine))

        assert len(found) == 300
        assert evil.seen == []

    def test_without_a_setting_it_is_googles_own(self, settings):
        settings.GOOGLE_ENDPOINT_URL = ""
        key = google.by_key(google.parse_key(text(token_uri="http://127.0.0.1:1/")))
        exchanged = google.by_token(lambda: "", "//iam.googleapis.com/x", "a@b.iam.gserviceaccount.com")

        assert key._token_uri == "https://oauth2.googleapis.com/token"
        assert exchanged._token_url == "https://sts.googleapis.com/v1/token"
        assert exchanged._service_account_impersonation_url == (
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
            "a@b.iam.gserviceaccount.com:generateAccessToken"
        )
        assert (
            google.secret_manager(key, "europe-west9").transport._host
            == "https://secretmanager.europe-west9.rep.googleapis.com"
        )
        assert google.secret_manager(key).transport._host == "https://secretmanager.googleapis.com"

    def test_a_redirect_is_not_followed(self, settings):
        with listening() as elsewhere, listening((307, {"Location": elsewhere.url}, b"{}")) as server:
            settings.GOOGLE_ENDPOINT_URL = server.url

            with pytest.raises(errors.NotReachable):
                names(text())

        assert elsewhere.seen == []

    @pytest.mark.parametrize("path", ["v1/projects/../secrets", "v1//x", "v1/projects/./x", ""])
    def test_a_path_leads_nowhere_else(self, path):
        with pytest.raises(ValueError, match="A path at Google"):
            google.Api(Token()).call("GET", "iam", path, "x")

    def test_what_stands_in_a_path_is_quoted(self, settings):
        with listening() as server:
            settings.GOOGLE_ENDPOINT_URL = server.url

            google.Api(Token()).call("GET", "iam", "v1/projects/a?b#c%2F:d", "x", page=1)

        assert server.seen == ["/v1/projects/a%3Fb%23c%252F:d?page=1"]

    def test_a_netrc_file_does_not_replace_who_asks(
        self, sandbox_google, google_endpoint, tmp_path, monkeypatch
    ):
        file = tmp_path / "netrc"
        file.write_text("machine 127.0.0.1 login other password other\n")
        monkeypatch.setenv("NETRC", str(file))

        assert len(names(sandbox_google.keys["reader"])) == 300


class TestTime:
    def test_who_never_answers_is_not_waited_for(self, settings, monkeypatch):
        monkeypatch.setattr(google_wire, "READ", 0.3)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            settings.GOOGLE_ENDPOINT_URL = f"http://127.0.0.1:{silent.getsockname()[1]}"
            began = time.monotonic()

            with pytest.raises(errors.NotReachable, match="does not answer"):
                names(text())

        assert time.monotonic() - began < 3

    def test_all_requests_of_a_call_share_one_budget(self, settings, monkeypatch):
        monkeypatch.setattr(google_wire._budget, "seconds", 0.5)
        busy = (503, {}, b'{"error": "temporarily_unavailable"}')
        with listening(busy) as server:
            settings.GOOGLE_ENDPOINT_URL = server.url
            began = time.monotonic()

            with pytest.raises(errors.NotReachable):
                names(text())

        assert time.monotonic() - began < 4

    def test_the_limits_are_below_a_requests_own(self):
        assert google_wire.BUDGET + google_wire.CONNECT <= 26
        assert (google_wire.CONNECT, google_wire.READ) == (3, 10)

    def test_slowing_down_is_asked_once_more(self, settings):
        busy = (429, {}, b'{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}')
        with listening(busy, (200, {}, b'{"projectId": "acme"}')) as server:
            settings.GOOGLE_ENDPOINT_URL = server.url

            found = google.Api(Token()).call("GET", "cloudresourcemanager", "v1/projects/acme", "x")

        assert found == {"projectId": "acme"}
        assert len(server.seen) == 2

    def test_and_not_a_third_time(self, settings):
        busy = (429, {}, b'{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}')
        with listening(busy) as server:
            settings.GOOGLE_ENDPOINT_URL = server.url

            with pytest.raises(errors.Throttled):
                google.Api(Token()).call("GET", "cloudresourcemanager", "v1/projects/acme", "x")

        assert len(server.seen) == 2


@pytest.mark.sandbox
@pytest.mark.usefixtures("google_endpoint")
class TestRefusedKeys:
    def test_of_another_signature(self, sandbox_google):
        other = json.loads(sandbox_google.keys["reader"]) | {"private_key": pem(RSA)}

        with pytest.raises(errors.CredentialRefused, match="deleted or disabled") as refusal:
            names(json.dumps(other))

        assert "new key" in refusal.value.remedy

    def test_of_a_service_account_that_is_gone(self):
        with pytest.raises(errors.CredentialRefused, match="knows no such service account"):
            names(text(client_email="gone@acme-secrets.iam.gserviceaccount.com"))

    def test_of_one_that_is_disabled(self, sandbox_google):
        email = json.loads(sandbox_google.keys["other"])["client_email"]
        sandbox_google.plant("accounts", email=email, disabled=True)

        try:
            with pytest.raises(errors.CredentialRefused, match="is disabled"):
                names(sandbox_google.keys["other"])
        finally:
            sandbox_google.plant("accounts", email=email, disabled=False)

    def test_a_missing_permission_is_named_with_the_line_that_grants_it(self, sandbox_google):
        with pytest.raises(errors.PermissionMissing) as refusal:
            names(sandbox_google.keys["limited"])

        assert refusal.value.permission == LIST
        assert LIST in refusal.value.reason + refusal.value.remedy
        assert refusal.value.policy == "the policy"

    @pytest.mark.parametrize(
        ("reason", "kind", "words"),
        [
            ("SERVICE_DISABLED", errors.ProviderError, "The Secret Manager API is not enabled"),
            ("BILLING_DISABLED", errors.ProviderError, "Billing is not enabled"),
            ("CONSUMER_INVALID", errors.NotThere, "no such project"),
            ("CONSUMER_SUSPENDED", errors.ProviderError, "suspended"),
            ("SECURITY_POLICY_VIOLATED", errors.ProviderError, "VPC Service Controls"),
            ("SOMETHING_NEW", errors.PermissionMissing, "lacks secretmanager.secrets.list"),
        ],
    )
    def test_googles_reasons_are_ours(self, sandbox_google, reason, kind, words):
        sandbox_google.plant("faults", reason=reason)

        with pytest.raises(errors.ProviderError, match=words) as refusal:
            names(sandbox_google.keys["reader"])

        assert type(refusal.value) is kind
        assert refusal.value.remedy

    def test_the_api_that_is_off_is_named_with_the_line_that_enables_it(self, sandbox_google):
        sandbox_google.plant("faults", reason="SERVICE_DISABLED")

        with pytest.raises(errors.ProviderError) as refusal:
            names(sandbox_google.keys["reader"])

        assert "gcloud services enable secretmanager.googleapis.com" in refusal.value.remedy

    def test_a_proxys_page_is_not_google(self, sandbox_google):
        sandbox_google.plant("faults", html=True)

        with pytest.raises(errors.NotReachable, match="is not Google") as refusal:
            names(sandbox_google.keys["reader"])

        assert "proxies" in refusal.value.remedy

    def test_nothing_is_told_to_the_log(self, sandbox_google, caplog):
        key = json.loads(sandbox_google.keys["reader"])

        for name in ("google", "urllib3"):
            logging.getLogger(name).addHandler(caplog.handler)
        try:
            with caplog.at_level(logging.DEBUG, "google"), caplog.at_level(logging.DEBUG, "urllib3"):
                names(sandbox_google.keys["reader"])
        finally:
            for name in ("google", "urllib3"):
                logging.getLogger(name).removeHandler(caplog.handler)

        said = caplog.text + repr([vars(record) for record in caplog.records])
        assert "secrets" in said
        for secret in (key["private_key"].split("\n")[1], "assertion", "ya29.", "Bearer"):
            assert secret not in said


STATUSES = [
    (400, errors.NotValid), (401, errors.CredentialRefused), (403, errors.PermissionMissing),
    (404, errors.NotThere), (409, errors.Raced), (418, errors.ProviderError), (429, errors.Throttled),
    (500, errors.NotReachable), (503, errors.NotReachable),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_statuses_are_translated_by_table_and_words_stay_out(status, kind):
    body = {"error": {"code": status, "message": "canary-value", "details": [{"reason": "canary"}, "canary"]}}

    found = google_errors.refusal(status, body, LIST, "lines")

    assert type(found) is kind
    assert "canary" not in found.reason + found.remedy


@pytest.mark.parametrize("body", [None, [], "canary", {}, {"error": "canary"}, {"error": None}])
def test_an_error_of_another_shape_is_not_googles(body):
    found = google_errors.refusal(403, body, LIST, "")

    assert type(found) is errors.NotReachable


GRANTS = [
    ({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, "deleted or disabled"),
    ({"error": "invalid_grant", "error_description": "Invalid grant: account not found"}, "knows no such"),
    (
        {
            "error": "invalid_grant",
            "error_description": "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe.",
        },
        "clock is wrong",
    ),
    ({"error": "disabled_client", "error_description": "The OAuth client was disabled."}, "is disabled"),
    ({"error": "invalid_grant", "error_description": "canary-value"}, "does not accept this key"),
    ({"error": "new"}, "does not accept this key"),
]


@pytest.mark.parametrize(("body", "words"), GRANTS)
def test_what_google_says_of_a_signed_key(body, words):
    from google.auth.exceptions import RefreshError

    with pytest.raises(errors.CredentialRefused, match=words) as refusal, google.translated(LIST):
        raise RefreshError("canary-value", body)

    assert "canary" not in refusal.value.reason + refusal.value.remedy


EXCHANGES = [
    (
        "invalid_target",
        "The target service indicated by the audience is invalid.",
        "no such workload identity",
    ),
    ("invalid_request", 'Invalid value for "audience".', "does not know this audience"),
    ("invalid_grant", "The audience in ID Token [x] does not match.", "does not allow the audience"),
    ("invalid_grant", "The issuer in ID Token [x] does not match.", "trusts another issuer"),
    ("invalid_grant", "Error connecting to the given credential's issuer.", "does not reach"),
    ("invalid_grant", "Invalid signature in ID Token.", "not signed with a key"),
    ("unauthorized_client", "rejected by the attribute condition.", "attribute condition"),
    ("invalid_grant", "canary-value", "does not accept this cluster's token"),
]


@pytest.mark.parametrize(("error", "description", "words"), EXCHANGES)
def test_what_google_says_of_a_clusters_token(error, description, words):
    from google.auth.exceptions import OAuthError

    body = json.dumps({"error": error, "error_description": description})
    with pytest.raises(errors.TrustMissing, match=words) as refusal, google.translated(LIST):
        raise OAuthError("canary-value", body)

    assert "canary" not in refusal.value.reason + refusal.value.remedy


IMPERSONATIONS = [
    ({"error": {"code": 403, "status": "PERMISSION_DENIED"}}, errors.TrustMissing),
    ({"error": {"code": 404, "status": "NOT_FOUND"}}, errors.TrustMissing),
    ({"error": {"code": 403, "details": [{"reason": "SERVICE_DISABLED", "metadata": {"service": "iamcredentials.googleapis.com"}}]}}, errors.ProviderError),
    ({"error": {"code": 429}}, errors.Throttled),
    ("<html>", errors.NotReachable),
]  # fmt: skip


@pytest.mark.parametrize(("body", "kind"), IMPERSONATIONS)
def test_what_google_says_of_an_impersonation(body, kind):
    from google.auth.exceptions import RefreshError

    with pytest.raises(errors.ProviderError) as refusal, google.translated(LIST):
        raise RefreshError("x", body if isinstance(body, str) else json.dumps(body))

    assert type(refusal.value) is kind


def test_the_api_to_act_as_a_service_account_is_named():
    detail = {"reason": "SERVICE_DISABLED", "metadata": {"service": "iamcredentials.googleapis.com"}}

    found = google_errors.refusal(403, {"error": {"code": 403, "details": [detail]}}, LIST, "")

    assert "IAM Service Account Credentials API" in found.reason
    assert "gcloud services enable iamcredentials.googleapis.com" in found.remedy


def test_our_own_errors_pass_unchanged():
    mine = errors.NotPossibleHere("The cluster does not have it.")

    with pytest.raises(errors.NotPossibleHere) as refusal, google.translated(LIST):
        raise mine

    assert refusal.value is mine


def test_neither_credentials_nor_errors_show_the_key():
    made = google.by_key(google.parse_key(text()))

    assert GOOD["private_key"].split("\n")[1] not in repr(made) + str(made)


def test_regions_have_cities_and_can_be_added(settings):
    settings.EXTRA_REGIONS = ["europe-west99", "eu-west-3"]

    assert all(google_regions.SHAPE.fullmatch(code) for code in google_regions.REGIONS)
    assert google_regions.city("europe-west9") == "Paris, europe-west9"
    assert "europe-west99" in google_regions.served()
    assert "eu-west-3" not in google_regions.served()
