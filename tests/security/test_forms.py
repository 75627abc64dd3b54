"""Checklist item 7: a field that a form does not have is never taken, on any page."""

import re

import pytest
from django.db import transaction

from tests import factories
from tests.security import crawl

pytestmark = pytest.mark.django_db

UUID = "0dec0ded-0000-4000-8000-00000decaded"
NUMBER = "987654321"
WORD = "mass-assigned"
EXTRA = {
    "id": UUID, "pk": NUMBER, "uuid": UUID, "organization": "", "organization_id": "", "org": "globex", "owner": NUMBER,
    "owner_id": NUMBER, "user": NUMBER, "user_id": NUMBER, "role": "owner", "roles": "owner", "membership": NUMBER,
    "is_active": "", "is_machine": "on", "is_superuser": "on", "is_staff": "on", "created_by": WORD, "by": NUMBER,
    "by_name": WORD, "invited_by": WORD, "set_by": WORD, "digest": WORD, "prefix": WORD, "generation": NUMBER,
    "sequence": NUMBER, "status": WORD, "status_reason": WORD, "password": WORD, "place": WORD, "cursor": NUMBER,
}  # fmt: skip
# What changes whenever a page is looked at, and the log, which grows.
ASIDE = re.compile("django_session|usersessions|accounts_auditevent|accounts_audithead")


@pytest.fixture
def globex(db):
    """Another organization with one of each, whose rows all name it or one of its own."""
    organization = factories.make_organization(name="Globex", slug="globex", pk=770077)
    factories.make_member(organization, "owner")
    cluster = factories.make_cluster(organization=organization, name="theirs")
    factories.make_link(
        service=factories.make_service(cluster=cluster), access=factories.make_access(cluster=cluster)
    )
    factories.make_cloud_credential(organization=organization, name="theirs")
    return organization


def powers():
    """Return who is what, where."""
    from accounts.models import Membership, User

    return (
        sorted((one.user_id, one.organization_id, *one.roles) for one in Membership.objects.all()),
        sorted(User.objects.values_list("pk", "email", "is_active", "is_machine", "password")),
    )


def test_no_form_takes_a_field_it_does_not_have(world, browser, globex):
    extra = EXTRA | {"organization": str(globex.pk), "organization_id": str(globex.pk)}
    assert len(extra) >= 20
    forms = {url: form for url, form in crawl.forms(browser, world).items() if url not in crawl.LEAVING}
    before = crawl.rows()
    theirs = {table: {row for row in rows if str(globex.pk) in row} for table, rows in before.items()}
    wrong, taken = [], 0

    for url, form in forms.items():
        own = {*form.fields, *form.choices}
        sent = form.fields | {name: value for name, value in extra.items() if name not in own}
        with transaction.atomic():
            plainly = browser.post(url, form.fields).status_code
            as_meant = powers()
            transaction.set_rollback(True)
        with transaction.atomic():
            status = browser.post(url, sent).status_code
            after = crawl.rows()
            taken += status < 400
            for table, rows in after.items():
                new = "\n".join({*rows} - {*before[table]}) if not ASIDE.match(table) else ""
                wrong += [(url, table, word) for word in (UUID, NUMBER, WORD) if word in new]
                if {row for row in rows if str(globex.pk) in row} != theirs[table]:
                    wrong.append((url, table, "another organization"))
            if powers() != as_meant or status != plainly:
                wrong.append((url, status, plainly))
            transaction.set_rollback(True)

    assert wrong == []
    assert (len(forms) > 50, taken > 20) == (True, True)
