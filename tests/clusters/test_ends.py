"""Kubeconfigs that end: noted, renewed by the console where it may, told of and shown before it hurts."""

import base64
import datetime
import json
from typing import Any

import pytest
import yaml
from django.core.cache import cache
from django.utils import timezone

from accounts.models import AuditEvent
from clusters import endings, kubeconfig, services, tasks
from clusters.joining import ends, manifest, renewing, telling
from clusters.models import Cluster
from sandbox.kubernetes import Cluster as Sandbox
from tests import factories

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)


@pytest.fixture(autouse=True)
def fresh_cache():
    cache.clear()


@pytest.fixture
def sent(monkeypatch) -> list[str]:
    """The clusters that workers would be told of."""
    messages: list[str] = []
    monkeypatch.setattr(tasks.renew_token, "delay", lambda cluster_id: messages.append(cluster_id))
    return messages


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


def with_user(**user: str) -> str:
    return yaml.safe_dump({"clusters": [], "users": [{"name": "user", "user": user}]})


def with_token(token: str) -> str:
    return with_user(token=token)


class TestNoting:
    def test_a_tokens_end_is_noted_whoever_it_is_of(self, sent):
        until = timezone.now().replace(microsecond=0) + HOUR

        cluster = factories.make_cluster(kubeconfig=with_token(jwt(exp=until.timestamp(), sub="marie")))

        assert cluster.signs_in_until == until
        assert not cluster.renews

    @pytest.mark.parametrize(
        "token", ["opaque", "a.b.c", jwt(sub="x"), jwt(exp="soon"), jwt(exp=1e300), ".."]
    )
    def test_what_does_not_say_has_no_end(self, token, sent):
        assert factories.make_cluster(kubeconfig=with_token(token)).signs_in_until is None

    def test_a_client_certificates_end_is_noted(self, sent):
        from sandbox.kubernetes import cluster as made

        _, served, key = made._certificates()
        encoded = [base64.b64encode(text).decode() for text in (served, key)]

        until = ends.at(with_user(**{"client-certificate-data": encoded[0], "client-key-data": encoded[1]}))

        assert until is not None
        assert 29 <= (until - timezone.now()).days <= 30

    def test_a_worker_soon_looks_at_a_new_token_and_not_twice(self, sent, django_capture_on_commit_callbacks):
        until = (timezone.now() + HOUR).timestamp()
        who = jwt(exp=until, sub="system:serviceaccount:keyhaven:keyhaven")

        with django_capture_on_commit_callbacks(execute=True):
            cluster = factories.make_cluster(kubeconfig=with_token(who))
        with django_capture_on_commit_callbacks(execute=True):
            cluster.save()

        assert sent == [str(cluster.pk)]


@pytest.mark.sandbox
class TestRenewing:
    @pytest.fixture
    def kube(self) -> Any:
        with Sandbox() as running:
            yield running

    def connect(self, kube: Any, seconds: int = 3600, **options: bool) -> Cluster:
        kube.load(manifest.text(manifest.Options(**options)))
        token = kube.service_account_token("keyhaven", "keyhaven", kube.issuer, seconds)
        text = kubeconfig.reduce(ends.with_token(kube.kubeconfig(), token))
        return factories.make_cluster(kubeconfig=text)

    def test_a_pasted_token_is_replaced_at_once_by_one_that_nobody_saw(self, kube, sent):
        cluster = self.connect(kube)
        pasted, edited = cluster.kubeconfig, cluster.updated_at

        renewed = renewing.take(str(cluster.pk))

        cluster.refresh_from_db()
        assert renewed
        assert cluster.renews
        assert cluster.kubeconfig != pasted
        assert 23 * HOUR < cluster.signs_in_until - timezone.now() <= 24 * HOUR
        assert cluster.updated_at == edited
        assert (
            services.try_connection(cluster.kubeconfig).identity == "system:serviceaccount:keyhaven:keyhaven"
        )

    def test_it_renews_as_itself_again_and_again_and_only_when_due(self, kube, sent):
        cluster = self.connect(kube)
        renewing.take(str(cluster.pk))
        cache.clear()

        assert renewing.sweep() == 0
        assert not renewing.take(str(cluster.pk))
        Cluster.objects.update(signs_in_until=timezone.now() + 11 * HOUR)
        assert renewing.sweep() == 0, "it looks once a minute"
        cache.clear()
        assert renewing.sweep() == 1
        assert sent == [str(cluster.pk)]
        assert renewing.take(str(cluster.pk))

    def test_one_that_may_not_is_left_alone_and_says_so(self, kube, sent):
        cluster = self.connect(kube, renew=False)
        before = cluster.kubeconfig

        assert not renewing.take(str(cluster.pk))

        cluster.refresh_from_db()
        assert not cluster.renews
        assert cluster.kubeconfig == before

    def test_a_token_for_a_year_stays_until_its_last_day(self, kube, sent):
        cluster = self.connect(kube, seconds=365 * 86400)

        assert not renewing.take(str(cluster.pk))

        cluster.refresh_from_db()
        assert cluster.renews
        assert cluster.signs_in_until - timezone.now() > 300 * 24 * HOUR

    def test_a_kubeconfig_replaced_meanwhile_wins(self, kube, sent, monkeypatch):
        cluster = self.connect(kube)
        replaced = with_token("somebody-elses")
        with_new = ends.account

        def replace_first(text: str) -> Any:
            found = Cluster.objects.get(pk=cluster.pk)
            found.kubeconfig = replaced
            found.save()
            return with_new(text)

        monkeypatch.setattr(ends, "account", replace_first)

        assert not renewing.take(str(cluster.pk))
        assert Cluster.objects.get(pk=cluster.pk).kubeconfig == replaced

    def test_a_cluster_that_is_away_is_asked_again_later(self, kube, sent, caplog):
        cluster = self.connect(kube)
        kube.stop()

        assert not renewing.take(str(cluster.pk))

        assert "is not renewed: Unreachable" in caplog.text
        assert ends._user(cluster.kubeconfig)["token"] not in caplog.text
        kube.start = kube.stop = lambda: None

    def test_a_token_whose_time_is_over_is_refused_by_the_cluster(self, kube, sent):
        from clusters import kubernetes

        self.connect(kube)
        account = kube.get("ServiceAccount", "keyhaven", "keyhaven")["metadata"]
        wanted = {"expirationSeconds": 600, "audiences": [kube.issuer]}
        token = kube.identities.service_account_token(kube.issuer, account, wanted)["token"]
        real = renewing.timezone.now().timestamp()
        assert kube.identities.account(f"Bearer {token}", kube.issuer)

        import time

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda: real + 601)
            with pytest.raises(kubernetes.Unauthorized):
                kubernetes.connect_text(ends.with_token(kube.kubeconfig(), token)).version()


class TestTelling:
    def test_each_mark_is_told_once(self):
        cluster = factories.make_cluster(signs_in_until=timezone.now() + 6 * 24 * HOUR + HOUR)

        told = [telling.tell_of_ends(), telling.tell_of_ends()]
        Cluster.objects.filter(pk=cluster.pk).update(signs_in_until=timezone.now() - HOUR)
        told += [telling.tell_of_ends(), telling.tell_of_ends()]

        assert told == [1, 0, 1, 0]
        events = AuditEvent.objects.filter(action__startswith="kubeconfig.").order_by("sequence")
        assert [(event.action, event.details.get("days")) for event in events] == [
            ("kubeconfig.expiring", 7),
            ("kubeconfig.expired", None),
        ]

    def test_one_that_renews_itself_is_told_of_only_when_that_fails(self):
        cluster = factories.make_cluster(renews=True, signs_in_until=timezone.now() + 11 * HOUR)

        told = [telling.tell_of_ends()]
        Cluster.objects.filter(pk=cluster.pk).update(signs_in_until=timezone.now() + 2 * HOUR)
        told.append(telling.tell_of_ends())

        assert told == [0, 1]


class TestShowing:
    def overview(self, sign_in: Any, organization: Any, person: Any, **fields: Any) -> str:
        factories.make_cluster(organization=organization, name="prod", **fields)
        Cluster.objects.update(updated_at=timezone.now() - HOUR)
        return str(sign_in(person).get("/o/acme/clusters/prod/").content.decode())

    def test_the_pages_say_when_it_ends(self, sign_in, organization, viewer):
        until = timezone.now() + datetime.timedelta(days=3, minutes=1)

        page = self.overview(sign_in, organization, viewer, signs_in_until=until)

        assert "What is in its kubeconfig ends in 3\xa0days" in page

    def test_a_token_that_was_just_entered_is_about_to_be_renewed(self, organization):
        cluster = factories.make_cluster(organization=organization, signs_in_until=timezone.now() + HOUR)

        at_first = endings.notice(cluster)
        Cluster.objects.update(updated_at=timezone.now() - HOUR)
        cluster.refresh_from_db()

        assert at_first is None
        assert endings.notice(cluster) is not None

    @pytest.mark.parametrize(
        "fields", [{"renews": True, "signs_in_until": timezone.now() + 20 * HOUR}, {"signs_in_until": None}]
    )
    def test_what_renews_itself_or_has_no_end_says_nothing(self, sign_in, organization, viewer, fields):
        assert "What is in its kubeconfig" not in self.overview(sign_in, organization, viewer, **fields)

    def test_what_has_ended_says_so(self, sign_in, organization, viewer):
        page = self.overview(sign_in, organization, viewer, signs_in_until=timezone.now() - 2 * HOUR)

        assert "What is in its kubeconfig ended" in page
