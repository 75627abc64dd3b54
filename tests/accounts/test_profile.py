"""Each person's own pages: whoever is signed in has them, and nobody else's."""

import pytest
from django.urls import reverse

from accounts.profile.urls import urlpatterns
from tests import factories

pytestmark = pytest.mark.django_db
ARGUMENTS = {"session": 1, "factor": 1}
PAGES = {pattern.name: pattern for pattern in urlpatterns}


def url(name):
    return reverse(name, kwargs={key: ARGUMENTS[key] for key in PAGES[name].pattern.converters})


def test_every_page_has_the_door():
    assert all(getattr(pattern.callback, "personal", False) for pattern in urlpatterns)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_is_asked_to_sign_in(client, name, method):
    answer = getattr(client, method)(url(name))

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("name", PAGES)
def test_a_person_without_an_organization_has_them_too(client, name):
    client.force_login(factories.make_user())

    status = client.get(url(name)).status_code

    gone = 404 if PAGES[name].pattern.converters else 200
    assert status == (gone if "GET" in PAGES[name].callback.methods else 405)


@pytest.mark.parametrize("name", [name for name in PAGES if PAGES[name].pattern.converters])
def test_what_is_not_mine_is_not_there(client, name, admin):
    client.force_login(admin)

    assert client.post(url(name), {"name": "x"}).status_code == 404


def test_the_name_is_changed_and_the_log_has_both(client, admin, organization):
    client.force_login(admin)

    answer = client.post("/account/", {"name": "Marie Rey"})

    admin.refresh_from_db()
    event = organization.audit_events.get()
    assert answer.status_code == 302
    assert admin.name == "Marie Rey"
    assert event.details == {"changes": {"name": ["Admin of Acme", "Marie Rey"]}}


def test_extra_fields_change_nothing(client, admin):
    client.force_login(admin)
    extra = {
        "email": "x@y.example",
        "is_active": "",
        "is_machine": "on",
        "password": "x",
        "pk": "1",
        "id": "1",
    }

    client.post("/account/", {"name": "Marie Rey"} | extra)

    email = admin.email
    admin.refresh_from_db()
    assert (admin.email, admin.is_active, admin.is_machine) == (email, True, False)
    assert admin.check_password(factories.PASSWORD)


@pytest.mark.parametrize(
    "typed",
    [
        {"current": "wrong", "new": "another sentence of words"},
        {"current": factories.PASSWORD, "new": "password"},
        {"current": factories.PASSWORD, "new": "short"},
        {"current": factories.PASSWORD, "new": ""},
        {"new": "another sentence of words"},
    ],
)
def test_a_password_is_not_changed_without_the_old_one_or_to_a_weak_one(client, admin, typed):
    client.force_login(admin)

    answer = client.post("/account/password/", typed)

    admin.refresh_from_db()
    assert answer.status_code == 422
    assert admin.check_password(factories.PASSWORD)


def test_the_first_password_asks_for_a_fresh_proof(client, organization):
    import time

    person = factories.make_member(organization, "admin", password=None)
    client.force_login(person)
    session = client.session
    session["proved_at"] = time.time() - 1000
    session.save()

    late = client.post("/account/password/", {"new": "another sentence of words"})
    client.force_login(person)
    fresh = client.post("/account/password/", {"new": "another sentence of words"})

    assert late.headers["Location"].startswith("/accounts/reauthenticate/")
    assert fresh.headers["Location"] == "/account/"
