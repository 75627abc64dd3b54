"""The pages: mine, the organization's, secrets shown once, and who may forward the log."""

import datetime
import time

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import AuditEvent, CustomRole, Destination, Membership
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/o/acme/settings/notifications/"


@pytest.fixture
def as_(client):
    """Return a function that signs a person in who has just proved who it is."""

    def act(user):
        client.force_login(user)
        session = client.session
        session["proved_at"] = time.time()
        session.save()
        return client

    return act


def text(response):
    return response.content.decode()


def webhook(**fields):
    return {
        "name": "on-call",
        "url": "https://127.0.0.1/hook/t0ken",
        "topics": ["deploy-failures"],
        "what": "topics",
    } | fields


def make_page(destination, name="notification"):
    return reverse(f"accounts:{name}", kwargs={"org": "acme", "destination": destination.pk})


# -- mine ----------------------------------------------------------------------------------------------
def test_a_member_chooses_what_to_be_told_of(as_, viewer):
    client = as_(viewer)
    response = client.post(URL, {"topics": ["drift", "own-deploys"]})
    mine = Destination.objects.get(membership__user=viewer)
    page = text(client.get(URL))

    assert (response.status_code, response.headers["Location"]) == (302, URL)
    assert set(mine.actions) == {
        "drift.found", "drift.gone", "own:deploy.succeeded", "own:deploy.failed", "own:deploy.cancelled",
    }  # fmt: skip
    assert page.count("checked") >= 2
    assert "For the organization" not in page


def test_a_topic_that_may_not_be_seen_is_not_offered(as_, organization, viewer):
    role = CustomRole.objects.create(organization=organization, name="Looker", permissions=["cluster:view"])
    membership = Membership.objects.get(user=viewer)
    membership.roles = []
    membership.save()
    membership.custom_roles.add(role)

    page = as_(viewer).get(URL)
    refused = as_(viewer).post(URL, {"topics": ["deploys"]})

    assert "Clusters that were changed by others" in text(page)
    assert "Deploys that succeeded" not in text(page)
    assert refused.status_code == 422


# -- the organization's --------------------------------------------------------------------------------
def test_a_webhooks_secret_is_shown_once(as_, admin):
    client = as_(admin)
    answer = client.post(f"{URL}add/?kind=webhook", webhook())
    made = Destination.objects.get()
    pages = [text(client.get(url)) for url in (URL, make_page(made), make_page(made, "notification_edit"))]

    assert made.secret in text(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert not [page for page in pages if made.secret in page or "t0ken" in page]
    assert all("https://127.0.0.1/…" in page for page in pages[:2])
    assert made.secret not in str(dict(client.session))


def test_the_log_holds_neither_secret_nor_path(as_, admin):
    client = as_(admin)
    client.post(f"{URL}add/?kind=webhook", webhook())
    made = Destination.objects.get()
    first = made.secret
    client.post(make_page(made, "notification_secret"))
    client.post(make_page(made, "notification_edit"), webhook(url="https://127.0.0.1/hook/0ther"))
    made.refresh_from_db()

    told = str(list(AuditEvent.objects.values_list("details", flat=True)))
    actions = list(AuditEvent.objects.order_by("sequence").values_list("action", flat=True))
    assert actions == ["destination.created", "destination.changed", "destination.changed"]
    assert not [word for word in (first, made.secret, "t0ken", "0ther") if word in told]
    assert "set anew" in told


def test_two_secrets_are_good_while_one_is_changed(as_, admin):
    client = as_(admin)
    client.post(f"{URL}add/?kind=webhook", webhook())
    first = Destination.objects.get().secret

    client.post(make_page(Destination.objects.get(), "notification_secret"))
    made = Destination.objects.get()
    made_later = Destination.objects.get()
    made_later.former_until = timezone.now() - datetime.timedelta(seconds=1)

    assert made.secrets == (made.secret, first)
    assert made_later.secrets == (made.secret,)


def test_what_is_left_blank_stays(as_, admin):
    client = as_(admin)
    client.post(
        f"{URL}add/?kind=otlp",
        {
            "name": "otel",
            "url": "http://127.0.0.1:4318",
            "header": "Authorization: Bearer abc",
            "what": "log",
        },
    )
    made = Destination.objects.get()

    response = client.post(
        make_page(made, "notification_edit"), {"name": "collector", "url": "", "header": "", "what": "log"}
    )

    made.refresh_from_db()
    assert response.status_code == 302
    assert (made.name, made.address, made.secret) == (
        "collector",
        "http://127.0.0.1:4318",
        "Authorization: Bearer abc",
    )


@pytest.mark.parametrize(
    ("kind", "sent", "address"),
    [
        ("syslog", {"transport": "tls", "host": "127.0.0.1", "port": "6514"}, "tls://127.0.0.1:6514"),
        ("syslog", {"transport": "udp", "host": "::1", "port": "514"}, "udp://[::1]:514"),
        ("file", {"file": "audit.jsonl"}, "audit.jsonl"),
        (
            "email",
            {"addresses": "A@example.com\nb@example.com, a@example.com"},
            "a@example.com,b@example.com",
        ),
    ],
)
def test_each_kind_can_be_added_and_edited(as_, admin, settings, tmp_path, kind, sent, address):
    settings.AUDIT_FILES_DIR = str(tmp_path)
    data = {"name": "siem", "what": "topics", "topics": ["deploys"]} | sent
    client = as_(admin)

    added = client.post(f"{URL}add/?kind={kind}", data)
    made = Destination.objects.get()
    edited = client.post(make_page(made, "notification_edit"), data | {"topics": ["drift"]})

    made.refresh_from_db()
    assert (added.status_code, edited.status_code) == (302, 302)
    assert (made.address, made.actions) == (address, ["drift.found", "drift.gone"])


@pytest.mark.parametrize(
    ("kind", "sent", "words"),
    [
        ("webhook", {"url": "ftp://127.0.0.1/"}, "Enter a whole address"),
        ("webhook", {"url": "https://a:b@127.0.0.1/"}, "Leave the user and password out"),
        ("webhook", {"url": "http://169.254.169.254/latest"}, "link-local or metadata address"),
        ("webhook", {"url": "http://[::1"}, "Enter a whole address"),
        ("webhook", {"url": "http://127.0.0.1:99999/"}, "Enter a whole address"),
        ("webhook", {"url": ""}, "Enter the address that takes the events."),
        ("webhook", {"topics": []}, "Choose at least one."),
        ("webhook", {"more": "vault.opened"}, "vault.opened is no action"),
        ("webhook", {"name": "On Call"}, "lower-case letters"),
        ("otlp", {"header": "Authorization"}, "Write a header as name: value"),
        ("otlp", {"header": "Host: evil"}, "Write a header as name: value"),
        ("otlp", {"header": "A: b\r\nC: d"}, "Write a header as name: value"),
        ("syslog", {"transport": "tcp", "host": "a b", "port": "514"}, "Enter a name or an address"),
        (
            "syslog",
            {"transport": "tcp", "host": "metadata.google.internal", "port": "514"},
            "metadata service",
        ),
        ("syslog", {"transport": "tcp", "host": "127.0.0.1", "port": "0"}, "greater than or equal to 1"),
        ("email", {"addresses": "nobody"}, "nobody is no e-mail address."),
        ("email", {"addresses": ""}, "Enter at least one address."),
        ("file", {"file": "../x.jsonl"}, "Use a name such as audit.jsonl"),
        ("file", {"file": "audit.jsonl"}, "has not allowed files"),
    ],
)
def test_what_cannot_be_is_said_beside_the_field(as_, admin, kind, sent, words):
    response = as_(admin).post(f"{URL}add/?kind={kind}", webhook() | sent)

    assert response.status_code == 422
    assert words in text(response).replace("&#x27;", "'")
    assert not Destination.objects.exists()


def test_a_name_is_taken_once(as_, admin, organization):
    factories.make_destination(organization=organization, name="on-call")

    response = as_(admin).post(f"{URL}add/?kind=webhook", webhook())

    assert response.status_code == 422
    assert "There is a destination named on-call already." in text(response)


@pytest.fixture
def notifier(organization, viewer):
    """Who may set notifications, but not forward the log."""
    role = CustomRole.objects.create(
        organization=organization, name="Notifier", permissions=["cluster:view", "notification:manage"]
    )
    Membership.objects.get(user=viewer).custom_roles.add(role)
    return viewer


def test_forwarding_the_log_takes_the_right_to(as_, notifier, organization):
    siem = factories.make_destination(organization=organization, name="siem", actions=[])
    client = as_(notifier)
    offered = text(client.get(f"{URL}add/?kind=syslog"))
    sneaked = client.post(f"{URL}add/?kind=webhook", webhook(what="log", topics=[]))
    more = client.post(f"{URL}add/?kind=webhook", webhook(more="member.*"))
    names = ("edit", "delete", "test", "pause", "secret", "replay")
    refused = {name: client.post(make_page(siem, f"notification_{name}")).status_code for name in names}

    assert "The whole audit log" not in offered
    assert sneaked.status_code == 422
    assert more.status_code == 200
    assert "member.*" not in Destination.objects.get(name="on-call").actions
    assert set(refused.values()) == {403}
    assert client.get(make_page(siem)).status_code == 200


def test_a_test_shows_what_came_of_it(as_, admin, organization, receiver):
    made = factories.make_destination(organization=organization, address=receiver.url)
    client = as_(admin)
    client.post(make_page(made, "notification_test"))
    receiver.answers = [(503, {}, b"secret words of a vendor")]
    client.post(make_page(made, "notification_test"))

    page = text(client.get(make_page(made)))
    made.refresh_from_db()
    assert receiver.events[0]["action"] == "test"
    assert ("It is not well." in page, "503" in page, "vendor" in page) == (True, True, False)
    assert list(AuditEvent.objects.order_by("sequence").values_list("action", flat=True)) == [
        "destination.tested",
        "destination.test_failed",
    ]
    assert (made.cursor, made.last_delivered_at) == (0, None)


def test_a_delivery_can_be_sent_again_with_the_same_ids(as_, admin, organization, receiver):
    from accounts.outgoing import engine

    made = factories.make_destination(organization=organization, address=receiver.url, actions=[])
    audit.record(organization=organization, by=admin, action="member.added", target=admin)
    engine.run(str(made.pk))
    sent = made.deliveries.get()

    as_(admin).post(
        reverse(
            "accounts:notification_send_again",
            kwargs={"org": "acme", "destination": made.pk, "delivery": sent.pk},
        )
    )

    first, second = receiver.bodies
    made.refresh_from_db()
    assert first == second
    assert made.cursor == 1


def test_everything_can_be_sent_again_from_a_time_on(as_, admin, organization):
    made = factories.make_destination(organization=organization, cursor=2, next_try_at=timezone.now())
    for _ in range(2):
        audit.record(organization=organization, by=admin, action="member.added", target=admin)
    client = as_(admin)
    early = client.post(make_page(made, "notification_replay"), {"since": "2020-01-01T00:00"})
    late = client.post(make_page(made, "notification_replay"), {"since": "2120-01-01T00:00"})
    wrong = client.post(make_page(made, "notification_replay"), {"since": "yesterday"})

    made.refresh_from_db()
    assert [one.status_code for one in (early, late, wrong)] == [302, 422, 422]
    assert (made.cursor, made.next_try_at) == (0, None)
    assert "That time is still to come." in text(late)


def test_a_destination_is_deleted_by_its_name(as_, admin, organization):
    made = factories.make_destination(organization=organization, name="siem")
    client = as_(admin)
    wrong = client.post(make_page(made, "notification_delete"), {"name": "other"})
    right = client.post(make_page(made, "notification_delete"), {"name": "siem"})

    assert (wrong.status_code, right.status_code) == (422, 302)
    assert not Destination.objects.exists()


def test_what_a_member_chose_is_no_page_of_others(as_, admin, viewer):
    as_(viewer).post(URL, {"topics": ["drift"]})
    mine = Destination.objects.get()

    assert as_(admin).get(make_page(mine)).status_code == 404
    assert "Mail to" not in text(as_(admin).get(URL))


def test_a_list_of_destinations_shows_how_they_are(as_, admin, organization):
    now = timezone.now()
    factories.make_destination(organization=organization, name="well", last_delivered_at=now)
    factories.make_destination(
        organization=organization, name="ill", failing_since=now, last_error="timeout", tries=3
    )
    factories.make_destination(organization=organization, name="off", paused_at=now)

    page = text(as_(admin).get(URL))

    assert [
        word for word in ("Delivers", "Failing", "Paused", "It did not answer in time.") if word not in page
    ] == []


def test_the_list_grows_no_queries_but_the_count_of_each(
    as_, admin, organization, django_assert_max_num_queries
):
    for _ in range(10):
        factories.make_destination(organization=organization)
    client = as_(admin)
    client.get(URL)

    with django_assert_max_num_queries(30):
        client.get(URL)


def test_a_stored_header_does_not_go_to_another_address(as_, admin):
    client, log = as_(admin), {"name": "otel", "what": "log"}
    client.post(
        f"{URL}add/?kind=otlp", log | {"url": "http://127.0.0.1:4318", "header": "Authorization: Bearer abc"}
    )
    made = Destination.objects.get()

    moved = client.post(
        make_page(made, "notification_edit"), log | {"url": "http://127.0.0.1:9", "header": ""}
    )

    made.refresh_from_db()
    assert moved.status_code == 422
    assert "belongs to the address of before" in text(moved)
    assert made.address == "http://127.0.0.1:4318"
