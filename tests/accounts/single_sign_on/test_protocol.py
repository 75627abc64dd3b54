"""Every way in which an answer of an issuer can be wrong."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from accounts.models import AuditEvent
from accounts.single_sign_on import flows, oidc
from accounts.single_sign_on.reasons import Reason, Refused

OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_a_member_comes_in(provider, issuer, jo, browser, organization):
    answer = browser.enter(issuer, "jo", next="/o/acme/clusters/")

    event = AuditEvent.objects.get(organization=organization, action="sign_in.succeeded")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/o/acme/clusters/")
    assert browser.user == str(jo.pk)
    assert event.actor_id == str(jo.pk)
    assert event.details["by"] == "single sign-on"
    assert browser.client.get("/o/acme/clusters/").status_code == 200


def test_the_request_has_pkce_a_state_and_a_nonce(provider, browser):
    url = browser.away()

    for piece in ("response_type=code", "code_challenge_method=S256", "code_challenge=", "state=", "nonce="):
        assert piece in url


def test_each_request_has_its_own(provider, browser):
    first, second = browser.away(), browser.away()

    assert first.partition("state=")[2] != second.partition("state=")[2]


def test_the_browser_cannot_add_scopes_or_parameters(provider, browser):
    url = browser.away(scope="offline_access", auth_params="acr_values=low", purpose="test")

    assert "offline" not in url
    assert "acr_values" not in url


LATER, LONG_AGO = int(time.time()) + 3600, int(time.time()) - 3600
BAD_CLAIMS = {
    "another nonce": ({"nonce": "of-another-browser"}, Reason.NONCE),
    "no nonce": ({"nonce": None}, Reason.NONCE),
    "for another client": ({"aud": "another-application"}, Reason.AUDIENCE),
    "for two clients": ({"aud": ["keyhaven", "another"]}, Reason.AUDIENCE),
    "made for another": ({"aud": ["keyhaven", "another"], "azp": "another"}, Reason.AUDIENCE),
    "party of another": ({"azp": "another"}, Reason.AUDIENCE),
    "no audience": ({"aud": None}, Reason.TOKEN),
    "expired": ({"exp": LONG_AGO, "iat": LONG_AGO - 60}, Reason.EXPIRED),
    "never expires": ({"exp": None}, Reason.TOKEN),
    "not yet": ({"nbf": LATER}, Reason.EXPIRED),
    "of tomorrow": ({"iat": LATER, "exp": LATER + 60}, Reason.EXPIRED),
    "of another issuer": ({"iss": "https://login.elsewhere.example"}, Reason.ISSUER),
    "of no issuer": ({"iss": None}, Reason.TOKEN),
    "of nobody": ({"sub": None}, Reason.TOKEN),
    "of an empty subject": ({"sub": ""}, Reason.TOKEN),
    "of a number": ({"sub": 7}, Reason.TOKEN),
    "of a long subject": ({"sub": "x" * 256}, Reason.TOKEN),
}


@pytest.mark.parametrize("name", BAD_CLAIMS)
def test_an_id_token_that_does_not_hold_is_refused(name, provider, issuer, jo, browser, refusals):
    issuer.state.claims, reason = BAD_CLAIMS[name]

    answer = browser.enter(issuer, "jo")

    assert answer.status_code == 403
    assert (browser.user, refusals()) == ("", [reason.value])


def test_an_unsigned_token_is_refused(provider, issuer, jo, browser, refusals):
    issuer.state.faults = {"alg": "none"}

    answer = browser.enter(issuer, "jo")

    assert (answer.status_code, browser.user, refusals()) == (403, "", ["algorithm_not_allowed"])


def test_a_token_signed_with_a_shared_secret_is_refused(provider, issuer, jo, browser, refusals):
    """The public key is no secret: who took it for one would believe anybody."""
    issuer.state.faults = {"alg": "HS256", "key": "0" * 64}

    answer = browser.enter(issuer, "jo")

    assert (answer.status_code, browser.user, refusals()) == (403, "", ["algorithm_not_allowed"])


@pytest.mark.parametrize("fault", [{"key": OTHER}, {"key": OTHER, "kid": "two"}, {"kid": "two"}])
def test_a_token_of_another_key_is_refused(fault, provider, issuer, jo, browser, refusals):
    issuer.state.faults = fault

    answer = browser.enter(issuer, "jo")

    assert (answer.status_code, browser.user, refusals()) == (403, "", ["bad_signature"])


def test_an_issuer_may_change_its_key(provider, issuer, jo, browser, another_browser):
    browser.enter(issuer, "jo")
    kept = issuer.state.key
    issuer.state.key, issuer.state.kid = OTHER, "next"

    another_browser.enter(issuer, "jo")

    issuer.state.key = kept
    assert another_browser.user == str(jo.pk)


def test_an_answer_that_names_another_issuer_was_mixed_up(provider, issuer, jo, browser, refusals):
    issuer.state.faults = {"callback": {"iss": "https://login.elsewhere.example"}}

    answer = browser.enter(issuer, "jo")

    assert (answer.status_code, browser.user, refusals()) == (403, "", ["wrong_issuer"])
    assert "/token" not in issuer.state.asked


def test_an_answer_that_should_name_its_issuer_and_does_not(provider, issuer, jo, browser, refusals):
    url = issuer.choose(browser.away(), "jo").partition("&iss=")[0]

    answer = browser.back(url)

    assert (answer.status_code, refusals()) == (403, ["wrong_issuer"])


def test_an_answer_counts_once(provider, issuer, jo, browser, refusals):
    url = issuer.choose(browser.away(), "jo")
    browser.back(url)
    browser.client.logout()

    answer = browser.back(url)

    assert (answer.status_code, browser.user, refusals()) == (403, "", ["unknown_attempt"])


def test_an_answer_belongs_to_the_browser_that_asked(
    provider, issuer, jo, browser, another_browser, refusals
):
    url = issuer.choose(browser.away(), "jo")
    another_browser.away()

    answer = another_browser.back(url)

    assert (answer.status_code, another_browser.user, refusals()) == (403, "", ["unknown_attempt"])


def test_a_code_of_another_browser_is_worth_nothing(provider, issuer, jo, browser, another_browser, refusals):
    """Its verifier is in that other browser's session."""
    stolen = issuer.choose(browser.away(), "jo").partition("code=")[2].partition("&")[0]
    own = issuer.choose(another_browser.away(), "max")
    code = own.partition("code=")[2].partition("&")[0]

    answer = another_browser.back(own.replace(code, stolen))

    assert (answer.status_code, another_browser.user, refusals()) == (403, "", ["code_refused"])


def test_an_attempt_is_over_after_ten_minutes(provider, issuer, jo, browser, refusals):
    url = issuer.choose(browser.away(), "jo")
    session = browser.client.session
    for flow in session[flows.FLOWS].values():
        flow["at"] -= flows.SECONDS + 1
    session.save()

    answer = browser.back(url)

    assert (answer.status_code, refusals()) == (403, ["unknown_attempt"])


def test_a_browser_keeps_few_attempts(provider, browser):
    for _ in range(flows.SEVERAL + 3):
        browser.away()

    assert len(browser.client.session[flows.FLOWS]) == flows.SEVERAL


@pytest.mark.parametrize(
    ("error", "reason"), [("access_denied", "declined_at_provider"), ("server_error", "provider_error")]
)
def test_a_provider_that_says_no_is_believed(error, reason, provider, issuer, jo, browser, refusals):
    url = issuer.choose(browser.away(), "jo").replace("code=", f"error={error}&was=")

    answer = browser.back(url)

    assert (answer.status_code, browser.user, refusals()) == (403, "", [reason])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((500, "{}"), "provider_unreachable"),
        ((200, "not json"), "code_refused"),
        ((200, "[]"), "code_refused"),
        ((200, "{}"), "malformed_token"),
        ((200, '{"id_token": "x.y.z"}'), "malformed_token"),
        ((200, '{"id_token": 7}'), "malformed_token"),
        ((200, " " * (oidc.LARGEST + 1)), "code_refused"),
        ((302, "{}"), "code_refused"),
    ],
)
def test_a_token_answer_that_makes_no_sense(answer, reason, provider, issuer, jo, browser, refusals):
    issuer.state.faults = {"/token": answer}

    found = browser.enter(issuer, "jo")

    assert found.status_code in (403, 502)
    assert (browser.user, refusals()) == ("", [reason])


def test_a_wrong_client_secret_is_refused_and_shown_nowhere(provider, issuer, jo, browser, refusals):
    provider.client_secret = "not-the-secret-of-this-client"
    provider.save()

    answer = browser.enter(issuer, "jo")

    assert refusals() == ["code_refused"]
    assert b"not-the-secret" not in answer.content


def test_what_the_id_token_leaves_out_is_asked_at_userinfo(provider, issuer, jo, browser):
    issuer.state.claims = {"email": None}

    browser.enter(issuer, "jo")

    assert browser.user == str(jo.pk)


def test_userinfo_of_somebody_else_is_refused(provider, issuer, jo, browser, refusals):
    issuer.state.claims, issuer.state.faults = {"email": None}, {"userinfo": {"sub": "sub-max"}}

    browser.enter(issuer, "jo")

    assert (browser.user, refusals()) == ("", ["wrong_subject"])


def test_an_issuer_that_calls_itself_otherwise_is_not_used(issuer):
    issuer.state.faults = {"metadata": {"issuer": "https://login.elsewhere.example"}}

    with pytest.raises(Refused, match="wrong_issuer"):
        oidc.discover(issuer.url)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "http://10.0.0.1/", "ftp://x/", "", None, 7, "https://a:b@x/"]
)
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_an_issuer_that_leads_elsewhere_is_not_used(name, address, issuer):
    issuer.state.faults = {"metadata": {name: address}}

    with pytest.raises(Refused, match="provider_not_understood"):
        oidc.discover(issuer.url)


def test_plain_http_is_for_this_machine_and_a_console_without_tls(settings):
    settings.SERVED_OVER_TLS = False
    here = oidc.allowed("http://127.0.0.1:9/")
    settings.SERVED_OVER_TLS = True

    assert here
    assert not oidc.allowed("http://127.0.0.1:9/")
    assert not oidc.allowed("http://login.acme.example/")


def test_a_forbidden_token_address_is_refused_at_the_socket(provider, issuer, jo, browser, refusals):
    issuer.state.faults = {"metadata": {"token_endpoint": "https://169.254.169.254/latest"}}

    answer = browser.enter(issuer, "jo")

    assert (answer.status_code, refusals()) == (502, ["address_forbidden"])


def test_a_flood_of_refusals_does_not_fill_the_log(provider, browser, refusals, monkeypatch):
    monkeypatch.setattr("accounts.single_sign_on.entering.WRITTEN", 3)

    for _ in range(6):
        browser.client.get("/sso/acme/callback/?state=x&code=y")

    assert len(refusals()) == 3
