"""Nobody gives more than they hold."""

import itertools
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import delegation, patterns
from accounts.authority import Authority, Grant, Scope, built_in
from accounts.roles import OF_A_CLUSTER, Permission, Role

P = Permission


def holding(*grants: Grant) -> Authority:
    return Authority((grants,))


def role(*permissions: Permission, **limits: tuple[str, ...]) -> Grant:
    return Grant("Role", frozenset(permissions), Scope(**limits))


@pytest.mark.parametrize(
    ("giver", "given", "may"),
    [
        ("owner", "owner", True),
        ("owner", "admin", True),
        ("admin", "owner", False),
        ("admin", "admin", True),
        ("admin", "viewer", True),
        ("devops", "admin", False),
        ("devops", "devops", True),
        ("devops", "auditor", False),
        ("viewer", "viewer", True),
        ("viewer", "devops", False),
    ],
)
def test_a_built_in_role_gives_what_it_holds(giver, given, may):
    assert (not delegation.may_give(holding(built_in(giver)), [built_in(given)])) is may


def test_who_manages_members_through_a_custom_role_gives_no_admin():
    giver = holding(role(P.MEMBER_VIEW, P.MEMBER_MANAGE), built_in("viewer"))

    too_much = delegation.may_give(giver, [built_in("admin")])

    assert P.CLUSTER_MANAGE in {one.permission for one in too_much}
    assert P.MEMBER_MANAGE not in {one.permission for one in too_much}
    assert "Admin: Connect, change and remove clusters" in map(str, too_much)
    assert delegation.may_give(giver, [built_in("viewer")]) == []


def test_two_roles_of_a_person_add_up():
    giver = holding(built_in("devops"), role(P.AUDIT_VIEW))

    assert delegation.may_give(giver, [built_in("auditor"), built_in("devops")]) == []


@pytest.mark.parametrize(
    ("held", "wanted", "may"),
    [
        ({}, {"clusters": ("staging",)}, True),
        ({"clusters": ("staging-*",)}, {"clusters": ("staging-eu",)}, True),
        ({"clusters": ("staging-*",)}, {"clusters": ("staging-e*",)}, True),
        ({"clusters": ("staging-*",)}, {"clusters": ("staging*",)}, False),
        ({"clusters": ("staging-*",)}, {"clusters": ("staging-eu", "prod")}, False),
        ({"clusters": ("staging-*",)}, {}, False),
        ({"clusters": ("a", "b")}, {"clusters": ("a", "b")}, True),
        ({"namespaces": ("shop-*",)}, {"clusters": ("staging",)}, False),
        ({"namespaces": ("shop-*",)}, {"clusters": ("staging",), "namespaces": ("shop-a",)}, True),
        ({"prefixes": ("prod/",)}, {"prefixes": ("prod/shop/",)}, True),
        ({"prefixes": ("prod/shop/",)}, {"prefixes": ("prod/",)}, False),
    ],
)
def test_a_limited_role_gives_no_further_than_it_reaches(held, wanted, may):
    giver, given_ = holding(role(P.SECRET_BROWSE, **held)), role(P.SECRET_BROWSE, **wanted)

    assert (not delegation.may_give(giver, [given_])) is may


def test_a_token_gives_no_more_than_the_token_may():
    giver = holding(built_in("owner")).narrowed_by([built_in("viewer")])

    assert delegation.may_give(giver, [built_in("admin")])
    assert delegation.may_give(giver, [built_in("viewer")]) == []


def test_who_has_no_role_gives_nothing():
    assert delegation.may_give(Authority(), [built_in("viewer")])
    assert delegation.may_give(Authority(()), [built_in("viewer")])


def test_an_unknown_role_is_not_too_much_because_it_grants_nothing():
    assert delegation.may_give(Authority(), [built_in("emperor")]) == []


names = st.text(alphabet="ab-", min_size=0, max_size=4)
pattern = st.text(alphabet="ab-*", min_size=1, max_size=5)


@given(outer=pattern, inner=pattern, name=names)
def test_what_a_pattern_contains_it_matches(outer, inner, name):
    if patterns.contains(outer, inner) and patterns.matches(inner, name):
        assert patterns.matches(outer, name)


@given(outer=pattern, inner=pattern)
def test_what_a_pattern_does_not_contain_has_a_name_outside(outer, inner):
    """`contains` is exact, not only careful: some name of up to nine characters shows the difference."""
    if not patterns.contains(outer, inner):
        parts = [inner.replace("*", fill) for fill in ("", "a", "b", "x", "xy", "xx", "x-a")]

        assert any(not patterns.matches(outer, name) for name in parts)


scopes = st.builds(
    Scope,
    clusters=st.lists(pattern, max_size=2).map(tuple),
    namespaces=st.lists(pattern, max_size=2).map(tuple),
    prefixes=st.lists(names, max_size=1).map(tuple),
)
grants = st.lists(
    st.builds(Grant, st.just("r"), st.frozensets(st.sampled_from(sorted(OF_A_CLUSTER)), max_size=3), scopes),
    max_size=3,
)
PLACES = list(itertools.product(("a", "ab", "b-a"), ("a", "-b"), ("", "a", "ab-")))


@given(held=grants, wanted=grants)
def test_whoever_gets_what_may_be_given_can_do_nothing_that_the_giver_cannot(held, wanted):
    giver, taker = Authority((tuple(held),)), Authority((tuple(wanted),))
    if delegation.may_give(giver, wanted):
        return
    for permission in OF_A_CLUSTER:
        for cluster, namespace, secret in PLACES:
            place = {"cluster": cluster, "namespace": namespace, "secret": secret}

            assert giver.allows(permission, **place) or not taker.allows(permission, **place)


@pytest.mark.parametrize("name", ["a?c", "a[b]c", "a.c", "a\nc"])
def test_only_the_star_is_special(name):
    assert patterns.matches(name, name)
    assert not patterns.matches(name, "abc")
    assert patterns.matches("a*c", name)


def test_every_role_covers_itself():
    assert all(delegation.may_give(holding(built_in(one)), [built_in(one)]) == [] for one in Role.values)


def test_a_pattern_of_many_stars_is_looked_at_at_once():
    pattern, name = "*a" * 30 + "*b", "a" * 63

    began = time.monotonic()
    found = (
        patterns.matches(pattern, name),
        patterns.contains(pattern, name),
        patterns.matches(pattern, name + "b"),
    )

    assert found == (False, False, True)
    assert time.monotonic() - began < 0.1


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_patterns_match_as_their_expression_does(pattern, name):
    expected = re.search(patterns.expression((pattern,)), name) is not None

    assert patterns.matches(pattern, name) is expected
