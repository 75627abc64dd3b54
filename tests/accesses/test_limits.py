"""Where requests to clouds may go, that TLS is checked, and how long they may take."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accesses import trials
from accesses.providers.aws import forms as aws_forms
from accesses.providers.google import forms as google_forms
from credentials.clouds import aws, errors, google
from credentials.clouds.aws import asking
from credentials.clouds.azure import wire as azure_wire
from credentials.clouds.google import wire as google_wire
from credentials.clouds.scaleway import asking as scaleway
from tests import factories

HOSTS = [
    "169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal", "localhost", "127.0.0.1", "evil.example", "0x7f000001",
    "2130706433", "::1", "instance-data", "100.100.100.200", "127.1", "evil.example#", "evil.example/", "@evil.example",
]  # fmt: skip
WAYS = ["{}", "eu-west-3.{}", "{}/eu-west-3", "eu-west-3@{}", "eu-west-3\\{}", "eu-west-3/../{}", "//{}"]
HOSTILE = [way.format(host) for way in WAYS for host in HOSTS]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_is_typed_leads_to_another_host(text):
    with pytest.raises(ValidationError):
        aws_forms.clean_region(text)
    place = google_forms.AmbientForm({"project": text, "region": text})
    pool = google_forms.FederationForm({"project": "acme-secrets", "audience": text, "email": text})

    assert not place.is_valid()
    assert "region" in place.errors
    # A project is a part of a path, and a single word can be one's ID.
    assert "project" in place.errors or text in ("localhost", "instance-data")
    assert {"audience", "email"} <= set(pool.errors)
    assert not aws_forms.ROLE.fullmatch(text)


def test_the_list_is_long_enough():
    assert len(set(HOSTILE)) >= 60


def test_tls_is_checked_and_nothing_here_can_switch_that_off():
    keys = aws.Keys("AKIA" + "A" * 16, "s" * 40)
    made = aws.client("secretsmanager", keys, "eu-west-3")
    session = google_wire.transport().session

    assert made._endpoint.http_session._verify not in (False, None)
    assert made.meta.endpoint_url.startswith("https://") or "127.0.0.1" in made.meta.endpoint_url
    assert session.verify is True
    assert not any(
        "verify" in name for form in (aws_forms.StaticForm, google_forms.KeyForm) for name in form.base_fields
    )


@pytest.fixture
def silent() -> Iterator[Any]:
    """A server that takes connections and never says a word; `silent.taken` counts them."""

    class Silent:
        def __init__(self) -> None:
            self.socket = socket.create_server(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
            self.held: list[socket.socket] = []
            threading.Thread(target=self._serve, daemon=True).start()

        def _serve(self) -> None:
            try:
                while True:
                    self.held.append(self.socket.accept()[0])
            except OSError:
                pass

    made = Silent()
    yield made
    made.socket.close()
    for one in made.held:
        one.close()


@pytest.mark.django_db
def test_an_aws_that_hangs_is_left_after_two_attempts(silent, monkeypatch, organization):
    real = asking._config
    monkeypatch.setattr(asking, "_config", lambda **given: real(**(given | {"read_timeout": 0.2})))
    monkeypatch.setenv("AWS_ENDPOINT_URL", silent.url)
    access = factories.make_access(cluster=factories.make_cluster(organization=organization))

    result = trials.try_access(access)

    assert result.reason == "AWS does not answer in eu-west-3."
    assert not result.usable
    assert not result.refused
    assert len(silent.held) == 2


def test_the_limits_leave_room_for_nothing_longer_than_half_a_minute():
    """What the clients are told: to connect, to answer, how often; and the budget of Google and Azure for all of it."""
    found = asking._config()

    assert (found.connect_timeout + found.read_timeout) * found.retries["total_max_attempts"] <= 30
    assert asking._config(read_timeout=3, attempts=1).retries["total_max_attempts"] == 1
    for wire in (google_wire, azure_wire):
        assert wire.CONNECT <= 10
        assert wire.BUDGET + wire.READ <= 35
    assert scaleway.CONNECT + scaleway.READ <= 30


def test_a_google_that_hangs_is_left(silent, settings, sandbox_google, monkeypatch):
    settings.GOOGLE_ENDPOINT_URL = silent.url
    monkeypatch.setattr(google_wire, "READ", 0.2)
    credentials = google.by_key(google.parse_key(sandbox_google.keys["reader"]))

    with pytest.raises(errors.NotReachable):
        google.Api(credentials).call("GET", "cloudresourcemanager", "v1/projects/acme-secrets", "x")

    assert len(silent.held) <= 2


def test_a_scaleway_that_hangs_is_left(silent, settings, monkeypatch):
    settings.SCALEWAY_ENDPOINT_URL = silent.url
    monkeypatch.setattr(scaleway, "READ", 0.2)
    identity = scaleway.Identity("SCW" + "A" * 17, "11111111-2222-4333-8444-555555555555")

    with pytest.raises(errors.NotReachable):
        scaleway.ask(identity, "GET", "/iam/v1alpha1/api-keys", "IAMReadOnly")

    assert len(silent.held) == 1
