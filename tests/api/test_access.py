"""The access table of the API: every call × every role × outsiders × tokens of each kind."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts import roles
from accounts.models import CustomRole, Membership
from accounts.roles import Permission, Role
from tests import factories
from tests.api.conftest import Caller
from tests.api.world import OWN, REACHING, ROWS, ask, operations

pytestmark = pytest.mark.django_db
CALLS = sorted(operations())


def permission_of(name: str) -> Permission:
    return Permission(operations()[name][2]["x-permission"])


def tried(value: str, name: str, things: dict[str, Any]) -> Any:
    """Make a call in good order, and undo what it did."""
    with transaction.atomic():
        answer = ask(Caller(value), name, things)
        transaction.set_rollback(True)
    return answer


def test_every_call_has_a_row():
    assert set(ROWS) == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_without_a_usable_token_nothing_is_answered(name, things, organization, owner):
    past = timezone.now() - timedelta(seconds=1)
    values = {
        "none": "",
        "unknown": "khp_" + "x" * 43,
        "expired": factories.make_token(owner, organization, expires_at=past),
        "revoked": factories.make_token(owner, organization, revoked_at=past),
        "inactive": factories.make_token(
            factories.make_member(organization, "owner", is_active=False), organization
        ),
    }

    answers = {kind: ask(Caller(value), name, things) for kind, value in values.items()}

    assert {answer.status_code for answer in answers.values()} == {401}


@pytest.mark.parametrize("name", CALLS)
def test_a_token_of_another_organization_finds_nothing(name, things, organization, outsider):
    elsewhere = Membership.objects.get(user=outsider).organization
    # Of somebody who is in both, but the token is of the other.
    both = factories.make_member(organization, "owner")
    Membership.objects.create(organization=elsewhere, user=both, roles=["owner"])
    values = [factories.make_token(user, elsewhere) for user in (outsider, both)]
    values.append(factories.make_machine(elsewhere, "owner"))

    assert [ask(Caller(value), name, things).status_code for value in values] == [404, 404, 404]


@pytest.mark.parametrize("name", CALLS)
def test_another_organizations_things_are_not_found(name, things, organization, outsider):
    """The organization in the path is the outsider's own; what is named after it is Acme's."""
    if not {key for key in ROWS[name] if key not in ("body", "query")}:
        return
    elsewhere = Membership.objects.get(user=outsider).organization
    call = Caller(factories.make_token(outsider, elsewhere), elsewhere.slug)

    assert ask(call, name, things).status_code == 404


@pytest.mark.parametrize("name", CALLS)
def test_a_role_gets_what_it_allows(name, things, organization):
    answers = {}
    for role in Role.values:
        answers[role, "personal"] = tried(
            factories.make_token(factories.make_member(organization, role), organization), name, things
        )
        answers[role, "machine"] = tried(factories.make_machine(organization, role), name, things)

    for (role, kind), answer in answers.items():
        allowed = roles.allows(role, permission_of(name))
        assert (answer.status_code == 403) is not allowed, (role, kind, answer.content)
        assert answer.status_code < 500 or (name in REACHING and answer.status_code == 502), (role, kind)
        if allowed:
            assert answer.status_code != 401
            assert answer.status_code != 404 or name in OWN, (role, kind, answer.content)
    done = answers[Role.OWNER, "personal"]
    assert done.status_code < 400 or (name in REACHING and done.status_code in (422, 502)), done.content


@pytest.mark.parametrize("name", CALLS)
def test_a_token_may_less_than_the_owner_who_made_it(name, things, organization, owner):
    permission = permission_of(name)
    without = CustomRole.objects.create(
        organization=organization,
        name="all but one",
        permissions=[one.value for one in Permission if one != permission],
    )
    alone = CustomRole.objects.create(organization=organization, name="one", permissions=[permission.value])

    narrow = factories.make_token(owner, organization, roles=[], custom_roles=[without])
    enough = factories.make_token(owner, organization, roles=[], custom_roles=[alone])

    # To see the organization is every member's.
    if permission != Permission.ORGANIZATION_VIEW:
        assert tried(narrow, name, things).status_code == 403
    assert tried(enough, name, things).status_code not in (401, 403, 500, *(() if name in OWN else (404,)))
