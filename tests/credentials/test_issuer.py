"""The console as an issuer of tokens: what it publishes verifies what it signs, there is one key, and it never leaves."""

import datetime
import logging
import threading
import time
from io import StringIO
from typing import Any

import jwt
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F

from accounts.models import AuditEvent
from credentials import issuer
from credentials.models import SigningKey, Subject
from tests import factories
from tests.test_canary import tables

DOCUMENT, KEYS = "/.well-known/openid-configuration", "/.well-known/jwks.json"
AUDIENCE = "https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/c"


def verified(token: str, published: dict[str, Any], audience: str = AUDIENCE) -> dict[str, Any]:
    """Return a token's claims as a cloud reads them, from published keys alone."""
    head = jwt.get_unverified_header(token)
    (key,) = [one for one in jwt.PyJWKSet.from_dict(published).keys if one.key_id == head["kid"]]
    found: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience=audience, issuer=issuer.address(),
        options={"require": ["iss", "sub", "aud", "iat", "nbf", "exp"]},
    )  # fmt: skip
    return found


@pytest.mark.django_db
class TestToken:
    def test_what_is_published_verifies_what_is_signed(self, client):
        token = issuer.token(AUDIENCE, "keyhaven-1")

        claims = verified(token, client.get(KEYS).json())

        assert (claims["sub"], claims["aud"], claims["iss"]) == ("keyhaven-1", AUDIENCE, issuer.address())
        assert claims["exp"] - claims["iat"] == issuer.SECONDS
        assert abs(claims["iat"] - time.time()) < 5

    def test_another_consoles_token_is_not_verified(self, client):
        SigningKey.objects.all().delete()
        stolen = issuer.token(AUDIENCE, "keyhaven-1")
        SigningKey.objects.all().delete()
        published = client.get(KEYS).json()
        published["keys"][0]["kid"] = jwt.get_unverified_header(stolen)["kid"]

        with pytest.raises(jwt.InvalidSignatureError):
            verified(stolen, published)

    def test_a_token_is_for_one_audience(self, client):
        token = issuer.token(AUDIENCE, "keyhaven-1")

        with pytest.raises(jwt.InvalidAudienceError):
            verified(token, client.get(KEYS).json(), "api://AzureADTokenExchange")

    def test_each_organization_has_a_subject_that_stays(self, organization):
        other = factories.make_organization()

        names = {issuer.subject(organization), issuer.subject(organization), issuer.subject(other)}

        assert len(names) == Subject.objects.count() == 2


@pytest.mark.django_db
class TestPages:
    def test_the_document_leads_to_the_keys(self, client, settings):
        settings.BASE_URL = "https://keys.example"

        found = client.get(DOCUMENT).json()

        assert found["issuer"] == "https://keys.example"
        assert found["jwks_uri"] == f"https://keys.example{KEYS}"
        assert found["id_token_signing_alg_values_supported"] == ["RS256"]
        assert "authorization_endpoint" not in found

    def test_a_key_has_what_clouds_take_and_nothing_private(self, client):
        (key,) = client.get(KEYS).json()["keys"]

        assert set(key) == {"kty", "kid", "alg", "use", "n", "e"}
        assert (key["kty"], key["alg"], key["use"], key["e"]) == ("RSA", "RS256", "sig", "AQAB")

    @pytest.mark.parametrize("address", [DOCUMENT, KEYS])
    def test_everybody_may_fetch_and_keep_them(self, client, address):
        got, head = client.get(address), client.head(address)

        assert got.status_code == head.status_code == 200
        assert head.content == b""
        assert got.headers["Cache-Control"] == "public, max-age=300"
        assert got.headers["Content-Type"] == "application/json"
        assert "Set-Cookie" not in str(got.headers)
        assert not got.cookies

    @pytest.mark.parametrize("address", [DOCUMENT, KEYS])
    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_they_are_only_read(self, client, address, method):
        assert getattr(client, method)(address).status_code == 405

    def test_members_see_the_same(self, client, sign_in, viewer):
        before = client.get(KEYS).content

        assert sign_in(viewer).get(KEYS).content == before


@pytest.mark.django_db
class TestRotation:
    def test_the_new_key_signs_and_the_old_one_still_verifies(self, client):
        before = issuer.token(AUDIENCE, "keyhaven-1")

        call_command("rotate_signing_key", stdout=StringIO())
        after = issuer.token(AUDIENCE, "keyhaven-1")

        published = client.get(KEYS).json()
        kids = {jwt.get_unverified_header(token)["kid"] for token in (before, after)}
        assert len(kids) == len(published["keys"]) == 2
        assert verified(before, published)["sub"] == verified(after, published)["sub"] == "keyhaven-1"

    def test_an_old_key_is_dropped_only_when_its_tokens_have_ended(self, client):
        before = issuer.token(AUDIENCE, "keyhaven-1")
        new = issuer.rotate()

        with pytest.raises(CommandError, match="tokens of the one before it are still good"):
            call_command("rotate_signing_key", "--drop-old")
        kept = len(issuer.keys()["keys"])
        SigningKey.objects.update(made_at=F("made_at") - datetime.timedelta(seconds=issuer.SECONDS))
        said = StringIO()
        call_command("rotate_signing_key", "--drop-old", stdout=said)

        (key,) = client.get(KEYS).json()["keys"]
        assert kept == 2
        assert key["kid"] == new != jwt.get_unverified_header(before)["kid"]
        assert said.getvalue() == "Old keys dropped: 1. Published keys: 1.\n"

    def test_a_key_may_be_published_before_it_signs(self, client):
        said = StringIO()
        before = issuer.token(AUDIENCE, "keyhaven-1")
        call_command("rotate_signing_key", "--publish-only", stdout=said)
        call_command("rotate_signing_key", "--publish-only", stdout=said)
        published = client.get(KEYS).json()
        meanwhile = issuer.token(AUDIENCE, "keyhaven-1")
        call_command("rotate_signing_key", stdout=StringIO())
        after = issuer.token(AUDIENCE, "keyhaven-1")

        kids = [jwt.get_unverified_header(token)["kid"] for token in (before, meanwhile, after)]
        assert kids[0] == kids[1] != kids[2]
        assert {one["kid"] for one in published["keys"]} == set(kids)
        assert all(set(one) == {"kty", "kid", "alg", "use", "n", "e"} for one in published["keys"])
        assert verified(after, published)["sub"] == "keyhaven-1", "whoever fetched the keys before knows it"
        assert client.get(KEYS).json()["keys"][0]["kid"] == kids[2]
        assert said.getvalue().count(f"The key {kids[2]} is published and signs after the next run.") == 2

    def test_the_time_of_the_old_tokens_counts_from_when_the_new_key_signs(self):
        issuer.keys()
        issuer.publish_next()
        SigningKey.objects.update(made_at=F("made_at") - datetime.timedelta(days=1))

        issuer.rotate()

        with pytest.raises(issuer.StillNeeded):
            issuer.drop_old()

    def test_a_key_that_waits_is_not_dropped_and_does_not_hinder(self):
        old = issuer.keys()["keys"][0]["kid"]
        signs = issuer.rotate()
        waits = issuer.publish_next()
        SigningKey.objects.update(made_at=F("made_at") - datetime.timedelta(days=1))

        gone = issuer.drop_old()

        assert gone == 1
        assert {one["kid"] for one in issuer.keys()["keys"]} == {signs, waits}
        assert old not in (signs, waits)
        assert jwt.get_unverified_header(issuer.token(AUDIENCE, "x"))["kid"] == signs

    def test_publishing_first_of_all_keeps_a_key_that_signs(self):
        waits = issuer.publish_next()

        assert jwt.get_unverified_header(issuer.token(AUDIENCE, "x"))["kid"] != waits
        assert len(issuer.keys()["keys"]) == 2

    def test_without_an_old_key_nothing_is_dropped(self):
        first = issuer.keys()

        assert issuer.drop_old() == 0
        assert issuer.keys() == first


@pytest.mark.django_db(transaction=True)
def test_two_first_requests_at_once_make_one_key():
    barrier, seen = threading.Barrier(4), []

    def first() -> None:
        try:
            barrier.wait(10)
            seen.append(issuer.keys()["keys"])
        finally:
            connection.close()

    threads = [threading.Thread(target=first) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert SigningKey.objects.count() == 1
    assert len(seen) == 4
    assert all(keys == seen[0] and len(keys) == 1 for keys in seen)


@pytest.mark.django_db
def test_the_private_key_is_found_nowhere(client, organization, caplog):
    with caplog.at_level(logging.DEBUG):
        token = issuer.token(AUDIENCE, issuer.subject(organization))
        pages = client.get(DOCUMENT).content.decode() + client.get(KEYS).content.decode()

    made = SigningKey.objects.get()
    lines = [line for line in made.private.splitlines() if len(line) > 40]
    private = jwt.algorithms.RSAAlgorithm.to_jwk(
        jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).prepare_key(made.private), as_dict=True
    )  # fmt: skip
    places = {
        "log": caplog.text,
        "pages": pages,
        "repr": f"{made!r} {made}",
        "audit": str(list(AuditEvent.objects.values())),
        **tables(),
    }
    canaries = [*lines, private["d"], private["p"], private["q"]]
    assert len(lines) > 10
    assert {where for where, text in places.items() for one in canaries if one in text} == set()
    assert token not in caplog.text
