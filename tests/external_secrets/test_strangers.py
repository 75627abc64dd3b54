"""Another organization learns nothing and changes nothing, whatever ids it knows."""

from urllib.parse import quote

import pytest
from django.urls import reverse

from accounts.models import AuditEvent
from clusters.models import Cluster
from external_secrets.models import ExternalSecret, InventoryEntry, InventoryState
from tests import factories

pytestmark = pytest.mark.django_db

ARN = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:"
SECRET = "confidential-name"


@pytest.fixture
def theirs(access, service, fill):
    """What the other organization has, each with a name that gives it away."""
    fill(f"{SECRET}/db", SECRET)
    return factories.make_link(service=service, access=access, key=f"{SECRET}/db", variable="CONFIDENTIAL")


@pytest.fixture
def mine(outsider):
    """An organization with a cluster, an access, a service and a link of the same secret's ARN."""
    organization = factories.make_organization(name="Rival")
    member = factories.make_member(organization, "owner")
    cluster = factories.make_cluster(organization=organization, name="prod")
    access = factories.make_access(cluster=cluster, name="aws", namespaces=["shop"])
    service = factories.make_service(cluster=cluster, name="api")
    reference = f"{ARN}{SECRET}/db-AbCdEf"
    InventoryEntry.objects.create(
        access=access, organization_id=organization.pk, name="shared", reference=reference
    )
    InventoryState.objects.create(access=access, read_at="2026-01-01T00:00Z", entries=1)
    link = factories.make_link(service=service, access=access, key=reference, variable="MINE")
    return {"member": member, "org": organization, "cluster": cluster, "access": access, "service": service,
            "link": link}  # fmt: skip


def state():
    return (
        sorted(
            ExternalSecret.objects.values_list("pk", "service", "namespace", "access", "variable", "alias_of")
        ),
        sorted(Cluster.objects.values_list("pk", "generation")),
        AuditEvent.objects.count(),
    )


@pytest.fixture
def ask(sign_in, mine):
    client = sign_in(mine["member"])

    def act(name, query=None, post=False, **kwargs):
        where = reverse(f"external_secrets:{name}", kwargs={"org": mine["org"].slug} | kwargs)
        answers = [client.get(where, query or {})]
        answers.append(client.get(where, query or {}, headers={"HX-Request": "true"}))
        if post:
            answers.append(client.post(where, query or {}))
        return answers

    return act


def test_no_parameter_of_any_page_leads_to_what_others_have(ask, mine, theirs, access, service):
    before, own = state(), {"access": mine["access"].pk, "key": "shared", "name": "shared"}
    pick = f"{access.pk.hex[:8]}:{SECRET}"
    ids = {"access": access.pk, "service": service.pk, "link": theirs.pk, "alias_of": theirs.pk, "pick": pick,
           "after": f"{access.pk}:{SECRET}", "place": f"{service.pk}:web", "target": "aws"}  # fmt: skip

    for page in ("browse", "secret", "link", "bulk", "linked", "relocate"):
        for name, value in ids.items():
            for answer in ask(page, own | {name: value}, post=page in ("link", "bulk", "relocate")):
                said = answer.content.decode().replace(f"{ARN}{SECRET}/db-AbCdEf", "").replace(str(value), "")
                # The address that was asked for stands in the page, to come back to.
                said = said.replace(quote(str(value), safe=""), "")
                assert SECRET not in said, (page, name)
                assert "CONFIDENTIAL" not in said, (page, name)

    assert state() == before


def test_no_address_leads_there(ask, mine, theirs, access, service):
    before = state()
    here = {"cluster": mine["cluster"].name}

    answers = [
        *ask("edit", link=theirs.pk, post=True),
        *ask("unlink", link=theirs.pk, post=True),
        *ask("sync", link=theirs.pk, post=True)[2:],
        *ask("state", link=theirs.pk),
        *ask("service", service=service.pk, **here),
        *ask("refresh", access=access.pk, post=True)[2:],
        *ask("move", {"service": str(service.pk)}, access="aws", post=False, **here),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert state() == before


def test_counts_and_users_of_one_arn_are_of_ones_own(ask, mine, theirs, service):
    factories.make_link(
        service=service, access=theirs.access, key=f"{ARN}{SECRET}/db-AbCdEf", variable="AGAIN"
    )

    page = ask("secret", {"access": mine["access"].pk, "name": "shared"})[0]

    assert [use.link for use in page.context["map"].uses] == [mine["link"]]
    assert page.context["map"].unsure == []
    assert page.context["map"].accesses in ([], [mine["access"]])
    assert ask("linked", {})[0].context["total"] == 1


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_who_may_not_browse_reads_no_name_that_is_not_linked(
    sign_in, organization, theirs, url, access, role
):
    client = sign_in(factories.make_member(organization, role))
    InventoryEntry.objects.create(
        access=access, organization_id=organization.pk, name="not/linked", reference=f"{ARN}not/linked-AbCdEf"
    )

    answers = {
        "linked": client.get(url("linked")),
        "usage": client.get(url("usage", cluster="prod", access="aws")),
        "service": client.get(url("service", cluster="prod", service=theirs.service_id)),
        "namespace": client.get(url("namespace", cluster="prod", namespace="shop")),
        "export": client.get(url("export", cluster="prod")),
    }

    assert {answer.status_code for answer in answers.values()} == {200}
    for name, answer in answers.items():
        assert "not/linked" not in answer.content.decode(), name
    for page in ("browse", "secret", "link", "bulk", "relocate"):
        answer = client.get(url(page), {"access": access.pk, "name": "not/linked", "key": "not/linked"})
        assert answer.status_code == 403, page
        assert "not/linked</" not in answer.content.decode()
