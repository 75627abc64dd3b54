"""Who may write what: permission, role and scope, read-only accesses, the prefix, sudo mode."""

import time

import pytest

from accounts.models import AuditEvent
from accounts.roles import PERMISSIONS, Permission, Role
from external_secrets.writing import rules
from tests import factories

pytestmark = pytest.mark.django_db

PAGES = ("new", "version", "tags", "delete", "restore")
BODY = {"name": "db", "value": "canary", "tags": "a=b"}
TRICKS = [
    "../prod/db", "..", ".", "a/../../db", "a//b", "/db", "a/", "", " ", " db", "db ", "d\u200bb", "d\u202eb", "ﬁle",
    "db\n", "a\\..\\b", "ＤＢ", "x" * 600, "d\x00b", "ü", "%2e%2e", "a b", "./db",
]  # fmt: skip


@pytest.fixture
def at(url, access):
    def act(page, name="written/db", of=access):
        return f"{url(page)}?access={of.pk}&name={name}"

    return act


def begun():
    return AuditEvent.objects.filter(action__startswith="secret.").count()


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("page", PAGES)
def test_roles(sign_in, organization, at, access, page, role):
    access.writes = False
    access.save()
    client = sign_in(factories.make_member(organization, role))

    status = client.post(at(page), BODY).status_code

    assert status == (422 if Permission.SECRET_WRITE in PERMISSIONS[Role(role)] else 403)
    assert begun() == 0


@pytest.mark.parametrize("page", PAGES)
def test_an_access_that_only_reads_refuses_and_says_who_changes_that(sign_in, devops, at, access, page):
    access.writes = False
    access.save()
    client = sign_in(devops)
    body = BODY | ({"name": "written/db"} if page == "delete" else {})

    shown, sent = client.get(at(page)), client.post(at(page), body)

    assert "aws only reads." in shown.content.decode()
    assert sent.status_code == 422
    assert "aws only reads." in sent.content.decode()
    assert begun() == 0


def test_a_provider_without_writing_refuses(access, monkeypatch):
    import dataclasses

    from accesses import providers

    record = providers.PROVIDERS[access.provider]
    monkeypatch.setitem(providers.PROVIDERS, access.provider, dataclasses.replace(record, writing=None))

    with pytest.raises(rules.NotAllowed, match="cannot be written to from here"):
        rules.how(access)


class TestScope:
    @pytest.fixture
    def member(self, organization):
        role = factories.make_role(
            organization,
            permissions=["cluster:view", "secret:browse", "secret:write"],
            clusters=["prod"], namespaces=["shop"], prefixes=["written/shop/"],
        )  # fmt: skip
        user = factories.make_member(organization, "viewer")
        user.memberships.get().custom_roles.add(role)
        return user

    def test_a_name_outside_is_refused(self, sign_in, member, at, access):
        client = sign_in(member)

        made = client.post(at("new"), {"name": "other/db", "value": "canary"})
        changed = client.post(at("version", "written/other/db"), {"value": "canary"})

        assert made.status_code == 422
        assert "names that begin with written/shop/" in made.content.decode()
        assert changed.status_code == 404
        assert begun() == 0

    def test_another_cluster_is_not_there(self, sign_in, member, at, organization):
        other = factories.make_access(
            cluster=factories.make_cluster(organization=organization, name="other"), writes=True
        )
        client = sign_in(member)

        assert client.post(at("new", of=other), BODY).status_code == 404
        assert begun() == 0

    def test_another_namespace_is_not_there(self, sign_in, member, at, cluster):
        other = factories.make_access(cluster=cluster, namespaces=["bank"], writes=True)
        client = sign_in(member)

        assert client.post(at("new", of=other), BODY).status_code == 404

    def test_who_browses_more_than_one_writes_is_told(self, sign_in, organization, at, access, member):
        role = factories.make_role(
            organization, name="Browser", permissions=["cluster:view", "secret:browse"]
        )
        member.memberships.get().custom_roles.add(role)
        client = sign_in(member)

        assert client.post(at("version", "written/other/db"), {"value": "canary"}).status_code == 403
        assert AuditEvent.objects.filter(action="permission.refused").count() == 1


@pytest.mark.parametrize("name", TRICKS)
def test_no_name_leads_out_of_the_prefix(access, name):
    with pytest.raises(rules.NotAllowed):
        rules.full_name(access, name, ("",))


@pytest.mark.parametrize("name", ["db", "shop/db", "a.b", "a..b", ".env", "-db"])
def test_other_names_stay_behind_it(access, name):
    assert rules.full_name(access, name, ("",)) == f"written/{name}"


@pytest.mark.parametrize("page", ["version", "tags", "delete", "restore"])
@pytest.mark.parametrize("name", ["prod/db", "writte", "written/../prod/db", "WRITTEN/db"])
def test_what_is_outside_of_the_prefix_is_not_touched(sign_in, devops, at, access, page, name):
    client = sign_in(devops)
    body = BODY | ({"name": name} if page == "delete" else {})

    response = client.post(at(page, name), body)

    assert response.status_code == 422
    assert begun() == 0


def test_who_sees_only_tagged_ones_writes_only_those(access):
    access.only_tagged = True
    access.save()
    factories.make_entry(access, "written/ours", tags={"team": "shop", "more": "x"})
    factories.make_entry(access, "written/theirs", tags={"team": "bank"})

    assert rules.known_name(access, "written/ours") == "written/ours"
    for name in ("written/theirs", "written/unknown"):
        with pytest.raises(rules.NotAllowed, match="not all of them"):
            rules.known_name(access, name)


@pytest.mark.parametrize("page", PAGES)
def test_a_fresh_proof_is_asked_for(client, devops, at, page):
    client.force_login(devops)
    session = client.session
    session["proved_at"] = time.time() - 3600
    session.save()

    response = client.post(at(page), BODY)

    assert response.status_code == 302
    assert "reauthenticate" in response.headers["Location"]
    assert begun() == 0
    assert "canary" not in str(dict(client.session)) + response.headers["Location"]


def test_the_pace_is_kept(sign_in, devops, at, access):
    access.writes = False
    access.save()
    client = sign_in(devops)

    statuses = [client.post(at("version"), {"value": "canary"}).status_code for _ in range(31)]

    assert statuses[-1] == 429
