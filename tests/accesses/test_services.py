"""What is kept of a test, who wins when two act at once, and what is written beside a change."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accesses import drafts, providers, services, signals, trials
from accesses.models import Access, AccessDraft
from accesses.wanted import Values
from accounts.models import AuditEvent
from tests import factories

pytestmark = pytest.mark.django_db

KEYS = {"access_key_id": "AKIA" + "A" * 16, "secret_access_key": "canary-value"}


class Manager:
    """A secret manager that answers as it is told."""

    def __init__(self, *names: str, page: Exception | None = None, whoami: Exception | None = None) -> None:
        self.names, self.errors = names, {"page": page, "whoami": whoami}

    def page(self, prefix: str = "", cursor: str = "") -> providers.Page:
        self._fail("page")
        return providers.Page([providers.Entry(name, name) for name in self.names])

    def whoami(self) -> str:
        self._fail("whoami")
        return "arn:aws:iam::1:user/reader"

    def probe(self, entries: list[providers.Entry]) -> list[providers.Probe]:
        return []

    def statement(self, actions: list[str]) -> str:
        return ""

    def _fail(self, what: str) -> None:
        error = self.errors[what]
        if error is not None:
            raise error


@pytest.fixture
def answers(monkeypatch):
    """Return a function that makes every access's secret manager answer like this."""

    def act(*names: str, **errors: Exception) -> None:
        manager = Manager(*names, **errors)
        monkeypatch.setattr(trials, "connect", lambda access: manager)

    act("prod/a", "prod/b")
    return act


@pytest.fixture
def cluster(organization):
    return factories.make_cluster(organization=organization, name="prod")


@pytest.fixture
def draft(cluster, devops):
    return AccessDraft.objects.create(
        cluster=cluster, by=devops, provider="aws-secrets-manager", method="static", name="aws",
        configuration={"region": "eu-west-3"}, credential=KEYS, credential_set_at=timezone.now(),
        namespaces=["shop"],
    )  # fmt: skip


@pytest.fixture
def heard():
    """The accesses that listeners were told of."""
    told: list[Access] = []

    def listen(access: Access, **_: object) -> None:
        told.append(access)

    signals.access_saved.connect(listen)
    yield told
    signals.access_saved.disconnect(listen)


class TestTry:
    def test_at_most_five_names_are_kept(self, answers, draft):
        answers(*(f"name-{number}" for number in range(8)))

        result = drafts.test_draft(draft)

        assert result.names == [f"name-{number}" for number in range(5)]
        assert result.more
        assert AccessDraft.objects.get().result == result.as_json()

    def test_a_listing_without_names_is_well(self, answers, draft):
        answers()

        result = trials.try_access(draft)

        assert result.usable
        assert "no secrets there yet" in result.facts[1].text

    def test_that_the_identity_is_not_told_is_no_failure(self, answers, draft):
        answers("a", whoami=providers.NotReachable("STS does not answer."))

        assert trials.try_access(draft).usable

    @pytest.mark.parametrize(
        ("error", "signed_in", "listed", "usable", "refused"),
        [
            (providers.CredentialRefused("No."), False, None, False, True),
            (providers.PermissionMissing("x:List", policy="{}"), True, False, True, False),
            (providers.NotReachable("Silence."), None, False, False, False),
            (providers.Throttled("Slow."), None, False, False, False),
            (providers.ProviderError("Odd."), None, False, False, False),
        ],
    )
    def test_facts_say_what_was_tried(self, answers, draft, error, signed_in, listed, usable, refused):
        answers(page=error)

        result = trials.try_access(draft)

        assert [fact.ok for fact in result.facts] == [signed_in, listed]
        assert (result.usable, result.refused, result.listed) == (usable, refused, False)
        assert result.reason
        assert result.remedy

    def test_a_result_of_what_was_changed_meanwhile_is_not_kept(self, answers, draft):
        old = AccessDraft.objects.get()
        draft.credential = KEYS | {"secret_access_key": "another"}
        draft.save()

        drafts.test_draft(old)

        assert AccessDraft.objects.get().result == {}


class TestCreate:
    def test_the_access_is_what_was_tested(
        self, answers, draft, devops, cluster, heard, django_capture_on_commit_callbacks
    ):
        drafts.test_draft(draft)

        with django_capture_on_commit_callbacks(execute=True):
            access = services.create(draft=draft, by=devops)

        cluster.refresh_from_db()
        stored = Access.objects.get()
        event = AuditEvent.objects.get(action="access.created")
        assert stored.pk == draft.pk
        assert stored.credential == KEYS
        assert stored.verified_at == draft.tested_at
        assert stored.result["names"] == [], "not everybody who sees an access may see names"
        assert stored.credential_set_by == str(devops)
        assert cluster.generation == 1
        assert heard == [access]
        assert not AccessDraft.objects.exists()
        assert event.details == {
            "cluster": "prod", "provider": "aws-secrets-manager", "method": "static", "region": "eu-west-3",
            "namespaces": "shop", "credential": "set",
        }  # fmt: skip

    def test_what_was_not_tested_is_not_made(self, answers, draft, devops):
        with pytest.raises(services.NotUsable, match="Test the access first"):
            services.create(draft=draft, by=devops)

        assert not Access.objects.exists()

    @pytest.mark.parametrize(
        "error", [providers.CredentialRefused("No."), providers.NotReachable("Silence.")]
    )
    def test_what_does_not_work_is_not_made(self, answers, draft, devops, error):
        answers(page=error)
        drafts.test_draft(draft)

        with pytest.raises(services.NotUsable, match=error.reason):
            services.create(draft=draft, by=devops)

    def test_a_second_click_makes_no_second_one(self, answers, draft, devops):
        drafts.test_draft(draft)
        again = AccessDraft.objects.get()
        services.create(draft=draft, by=devops)

        with pytest.raises(AccessDraft.DoesNotExist):
            services.create(draft=again, by=devops)

        assert Access.objects.count() == 1
        assert AuditEvent.objects.count() == 1

    def test_a_listener_that_fails_does_not_undo_it(
        self, answers, draft, devops, django_capture_on_commit_callbacks, caplog
    ):
        def broken(**_: object) -> None:
            raise RuntimeError("the broker is away")

        signals.access_saved.connect(broken)
        drafts.test_draft(draft)
        try:
            with django_capture_on_commit_callbacks(execute=True):
                services.create(draft=draft, by=devops)
        finally:
            signals.access_saved.disconnect(broken)

        assert Access.objects.count() == 1
        assert "the broker is away" in caplog.text


class TestChange:
    @pytest.fixture
    def access(self, cluster):
        return factories.make_access(
            cluster=cluster, name="aws", credential=KEYS, namespaces=["shop", "jobs"]
        )

    def change(self, access, by, result=None, seen_version=None, **values):
        wanted = {
            "method": access.method, "configuration": access.configuration, "credential": access.credential,
            "namespaces": access.namespaces,
        } | values  # fmt: skip
        version = access.version if seen_version is None else seen_version
        return services.change(
            access=access, by=by, result=result, seen_version=version, values=Values(**wanted)
        )

    def test_what_differs_is_told_with_what_it_was_and_no_value(self, answers, access, devops):
        new = KEYS | {"secret_access_key": "canary-two"}
        result = trials.try_access(access)

        self.change(access, devops, result, configuration={"region": "us-east-1"}, credential=new)

        access.refresh_from_db()
        details = AuditEvent.objects.get(action="access.changed").details
        assert access.version == 2
        assert access.credential == new
        assert access.verified_at
        assert details["changes"] == {"region": ["eu-west-3", "us-east-1"]}
        assert details["credential"] == "changed"
        assert "canary" not in repr(details)

    def test_nothing_that_differs_is_no_change(self, access, devops, cluster, heard):
        assert not self.change(access, devops, namespaces=["jobs", "shop"])

        cluster.refresh_from_db()
        assert cluster.generation == 0
        assert not AuditEvent.objects.exists()
        assert heard == []

    def test_an_old_form_is_refused_and_says_what_is_there_now(self, access, devops):
        self.change(access, devops, namespaces=["shop"])

        with pytest.raises(services.Changed, match="It is now: eu-west-3, open to shop"):
            self.change(access, devops, namespaces=["jobs"], seen_version=1)

    def test_a_namespace_with_linked_secrets_cannot_be_shut_out(self, access, devops, cluster):
        service = factories.make_service(cluster=cluster, namespace="shop")
        factories.make_link(service=service, access=access)

        with pytest.raises(services.InUse, match="Services of shop"):
            self.change(access, devops, namespaces=["jobs"])

        assert self.change(access, devops, namespaces=["shop"])


class TestDelete:
    def test_one_in_use_stays_and_nothing_is_logged(self, cluster, devops):
        access = factories.make_access(cluster=cluster, name="aws")
        factories.make_link(access=access, service=factories.make_service(cluster=cluster))

        with pytest.raises(services.InUse, match="1 linked secret uses aws"):
            services.delete(access=access, by=devops)

        cluster.refresh_from_db()
        assert Access.objects.exists()
        assert cluster.generation == 0
        assert not AuditEvent.objects.exists()

    def test_the_database_itself_refuses_it(self, cluster):
        """Whatever the code does: a link never points to nothing."""
        access = factories.make_access(cluster=cluster)
        factories.make_link(access=access, service=factories.make_service(cluster=cluster))

        Access.objects.filter(pk=access.pk)._raw_delete("default")

        with pytest.raises(IntegrityError), transaction.atomic():
            connection.check_constraints()
        transaction.set_rollback(True)

    def test_an_unused_one_goes_and_the_next_deploy_knows(self, cluster, devops):
        access = factories.make_access(cluster=cluster, name="aws")

        services.delete(access=access, by=devops)

        cluster.refresh_from_db()
        assert cluster.generation == 1
        assert AuditEvent.objects.get(action="access.deleted").target_name == "aws"


def test_an_access_names_its_namespaces_in_the_database(cluster):
    with pytest.raises(IntegrityError, match="access_names_its_namespaces"):
        factories.make_access(cluster=cluster, namespaces=[])


def test_a_test_keeps_when_names_were_last_listed(answers, cluster, devops):
    access = factories.make_access(cluster=cluster)
    services.verify(access, by=devops)
    access.refresh_from_db()
    well = access.verified_at
    answers(page=providers.Throttled("AWS asks to slow down."))

    services.verify(access, by=devops)

    access.refresh_from_db()
    assert well is not None
    assert access.verified_at == well
    assert access.verified_error == "AWS asks to slow down."
    assert access.tested_at > well
