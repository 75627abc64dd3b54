"""What events tell of a change: before and after of an allow-list, once for each outcome, and never a value."""

import ast
import json

import pytest

from accesses import services as accesses
from accesses import trials, wanted
from accesses.models import Access
from accounts.audit import services
from accounts.models import AuditEvent
from clusters import deploys
from clusters import services as clusters
from clusters.models import Deploy
from config.paths import BASE_DIR
from external_secrets import batches
from external_secrets import services as links
from external_secrets.models import ExternalSecret
from external_secrets.placing import Place
from tests import factories

CANARY = "canary-7f3a91-do-not-write"


class TestChanges:
    def test_only_named_fields_that_differ(self):
        before = {"name": "a", "key": CANARY, "same": 1}
        after = {"name": "b", "key": "other", "same": 1}

        assert services.changes(before, after, {"name": "Name", "same": "Same"}) == {
            "changes": {"Name": ["a", "b"]}
        }

    def test_nothing_where_nothing_differs(self):
        assert services.changes({"a": 1}, {"a": 1}, {"a": "a"}) == {}

    def test_what_was_not_there_and_what_is_gone(self):
        assert services.changes({}, {"a": [1]}, {"a": "a"}) == {"changes": {"a": [None, [1]]}}
        assert services.changes({"a": True}, {}, {"a": "a"}) == {"changes": {"a": [True, None]}}

    def test_values_are_plain_and_not_too_long(self):
        told = services.changes({"a": None}, {"a": "x" * 900}, {"a": "a"})

        assert len(told["changes"]["a"][1]) == 500
        assert json.dumps(services.changes({}, {"a": {"b": {1, 2}}}, {"a": "a"}))

    def test_facts_leave_out_what_says_nothing(self):
        row = {"name": "a", "region": "", "ends": None, "key": CANARY}

        assert services.facts(row, {"name": "name", "region": "region", "ends": "ends"}) == {"name": "a"}


# Services that a person asks for, and the functions of which each call tells of exactly one thing. What is not here
# says why.
NO_EVENT = {
    # They read what is there, and change nothing that was configured.
    "read_names", "refresh_services", "check_version",
    # credentials.replace tells of it.
    "adopt",
}  # fmt: skip
MODULES = (
    "accounts/organizations/services.py", "accounts/audit/saved_views.py", "accounts/audit/retention.py",
    "credentials/services.py", "clusters/deploys.py", "clusters/removing.py",
    "clusters/services/checking.py", "clusters/services/cloud.py", "clusters/services/connecting.py",
    "clusters/services/disconnecting.py", "clusters/services/signing_in.py", "clusters/rotations/services.py",
    "clusters/rotations/retiring.py", "clusters/rotations/undoing.py",
    "secrets/accesses/services.py", "secrets/accesses/operators.py", "secrets/accesses/writing.py",
    "secrets/built_in/switching.py",
    "secrets/external_secrets/services.py", "secrets/external_secrets/batches.py",
    "secrets/external_secrets/moving.py", "secrets/external_secrets/syncing.py",
    "secrets/external_secrets/exchange/taking.py", "secrets/external_secrets/exchange/exporting.py",
)  # fmt: skip


def functions(path):
    tree = ast.parse((BASE_DIR / path).read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def tells(name, known, seen=frozenset()):
    """Whether a function records, itself or through a function of its module."""
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(known[name])
        if isinstance(node, ast.Call)
    }
    if called & {"record", "_record", "rewrite", "link", "change"}:
        return True
    return any(tells(one, known, seen | {name}) for one in called & set(known) - seen - {name})


@pytest.mark.parametrize("path", MODULES)
def test_every_service_that_somebody_asks_for_tells_of_it(path):
    known = functions(path)
    asked = [
        name
        for name, node in known.items()
        if any(one.arg == "by" for one in node.args.kwonlyargs) and name not in NO_EVENT
    ]

    assert asked
    assert [name for name in asked if not tells(name, known)] == []


@pytest.mark.django_db
class TestOneEventForOneOutcome:
    """One act, one event: what was, what is, and nothing of what is secret."""

    @pytest.fixture
    def cluster(self, organization):
        return factories.make_cluster(organization=organization, name="prod")

    @pytest.fixture
    def access(self, cluster):
        return factories.make_access(
            cluster=cluster, name="aws", namespaces=["shop", "web"],
            credential={"access_key_id": "AKIA", "secret_access_key": CANARY},
        )  # fmt: skip

    @pytest.fixture
    def told(self):
        """Return the one event that was written since."""

        def act():
            event = AuditEvent.objects.get()
            assert CANARY not in json.dumps(event.details)
            return event

        return act

    def values(self, access, **more):
        names = ("method", "configuration", "credential", "namespaces")
        return wanted.Values(**{name: getattr(access, name) for name in names} | more)

    def test_an_access(self, access, devops, told):
        values = self.values(
            access,
            namespaces=["shop"],
            credential={"access_key_id": "AKIA", "secret_access_key": f"{CANARY}-2"},
        )

        accesses.change(access=access, values=values, result=None, seen_version=access.version, by=devops)

        event = told()
        assert event.action == "access.changed"
        assert event.details["changes"] == {"namespaces": ["shop, web", "shop"]}
        assert event.details["credential"] == "changed"

    def test_an_access_that_stays_as_it_is(self, access, devops):
        values = self.values(access)

        accesses.change(access=access, values=values, result=None, seen_version=access.version, by=devops)

        assert not AuditEvent.objects.exists()

    def test_an_access_that_is_deleted_tells_what_was_there(self, access, devops, told):
        accesses.delete(access=access, by=devops)

        event = told()
        assert (event.action, event.details["provider"]) == ("access.deleted", access.provider)
        assert not Access.objects.exists()

    @pytest.mark.parametrize(("listed", "code"), [(True, "access.tested"), (False, "access.test_failed")])
    def test_a_test_of_an_access(self, access, devops, told, monkeypatch, listed, code):
        result = trials.Result([], usable=listed, listed=listed, reason="" if listed else "AWS refuses.")
        monkeypatch.setattr(trials, "try_access", lambda *args, **more: result)

        accesses.verify(access, by=devops)

        assert told().action == code

    def test_a_link_that_moves(self, cluster, access, devops, told):
        service = factories.make_service(cluster=cluster, namespace="shop", name="api")
        other = factories.make_service(cluster=cluster, namespace="shop", name="web")
        link = factories.make_link(service=service, access=access)

        batches.move_to(links=[link], place=Place.of(other, link.container), by=devops)

        event = told()
        assert event.action == "external_secret.changed"
        assert event.details["changes"] == {"place": ["shop/api", "shop/web"]}

    def test_a_link_that_goes(self, cluster, access, devops, told):
        service = factories.make_service(cluster=cluster, namespace="shop")
        link = factories.make_link(service=service, access=access)

        links.unlink(link=link, by=devops)

        assert told().action == "external_secret.unlinked"
        assert not ExternalSecret.objects.exists()

    def test_a_clusters_account(self, cluster, devops, told, organization):
        clusters.use_credential(cluster=cluster, credential=None, account="123456789012", by=devops)

        assert told().details == {"changes": {"account": [cluster.account, "123456789012"]}}

    def test_a_cluster_that_is_disconnected(self, cluster, access, devops, told):
        clusters.disconnect(cluster=cluster, by=devops)

        assert told().details == {"server": cluster.server, "accesses": "aws", "external secrets": 0}

    def test_a_deploy_that_is_joined_and_cancelled(self, cluster, devops, admin, monkeypatch):
        monkeypatch.setattr(deploys, "send", lambda deploy: None)
        queued = deploys.request(cluster=cluster, by=devops, reason="one")
        deploys.request(cluster=cluster, by=admin, reason="two")
        deploys.cancel(deploy=queued, by=admin)

        asked, joined, cancelled = AuditEvent.objects.order_by("sequence")
        assert asked.details == {"reason": "one"}
        assert joined.details["changes"] == {
            "reason": ["one", "one; two"], "asked for by": [str(devops), str(admin)],
        }  # fmt: skip
        assert cancelled.details == {"changes": {"status": ["queued", "cancelled"]}}
        assert Deploy.objects.count() == 1


@pytest.mark.django_db
def test_each_refusal_of_a_form_is_one_event_and_changes_nothing(world, viewer, client):
    """By every form of the console that a viewer may not send."""
    from tests.world import PAGES, VIEWS

    client.force_login(viewer)
    for name in (name for name in PAGES if "POST" in VIEWS[name].callback.methods):
        before = AuditEvent.objects.count()

        status = client.post(world.url(name), {"name": "x"}).status_code

        if status == 403:
            assert AuditEvent.objects.count() == before + 1, name
            event = AuditEvent.objects.order_by("sequence").last()
            assert (event.action, event.details["page"]) == ("permission.refused", name)
