"""A link of a namespace is one secret for all of its services; the narrower link and the workload's own wins."""

import pytest

from external_secrets import services
from external_secrets.models import ExternalSecret
from external_secrets.steps import Inject
from tests import factories
from tests.external_secrets.deploys.world import deployment, env_of, mounts_of, rich, writes

pytestmark = [pytest.mark.django_db, pytest.mark.sandbox]


@pytest.fixture
def wide(link):
    """Return a function that links for the whole namespace `shop`."""

    def act(key="prod/db", variable="DB", **fields):
        return link(key, variable, **{"service": None, "namespace": "shop", "container": ""} | fields)

    return act


def test_one_secret_arrives_in_every_container_of_every_service(kube, operator, wide, bring):
    kube.load([deployment("nightly", kind="CronJob"), deployment("db", kind="StatefulSet")])
    one = wide()

    run, failure = bring()

    assert failure is None
    for kind, name in (("Deployment", "api"), ("CronJob", "nightly"), ("StatefulSet", "db")):
        for container in ("web", "proxy"):
            assert env_of(kube, name, container, kind)["DB"]["name"] == one.object_name
    assert [item["metadata"]["name"] for item in kube.list("ExternalSecret")] == [one.object_name]
    assert ("info", "6 variables in place, 3 services changed") in run.log


def test_a_file_of_a_namespace_too(kube, operator, wide, bring):
    kube.load([rich()])
    wide(variable="", target="file", path="/vault/secrets/db", container="proxy")

    _, failure = bring()

    assert failure is None
    assert set(mounts_of(kube, "rich", "proxy")) == {"/etc/envoy", "/vault/secrets"}
    assert set(mounts_of(kube, "rich", "web")) == {"/etc/nginx", "/var/cache/app"}


def test_a_second_deploy_writes_nothing_and_a_new_service_gets_it(kube, operator, wide, bring):
    one = wide()
    bring()
    since = len(kube.requests)

    bring()

    assert writes(kube, since) == []
    kube.load([deployment("late")])
    _, failure = bring()
    assert failure is None
    assert env_of(kube, "late")["DB"]["name"] == one.object_name


def test_the_narrower_link_wins_and_the_wider_comes_back_when_it_goes(
    kube, operator, link, wide, bring, devops
):
    kube.load([deployment("other")])
    space, mine = wide(), link("prod/token", "DB", container="web")

    bring()

    assert env_of(kube)["DB"]["name"] == mine.object_name
    assert env_of(kube, container="proxy")["DB"]["name"] == space.object_name
    assert env_of(kube, "other")["DB"]["name"] == space.object_name
    services.unlink(link=ExternalSecret.objects.get(pk=mine.pk), by=devops)
    _, failure = bring()
    assert failure is None
    assert env_of(kube)["DB"]["name"] == space.object_name


def test_a_variable_of_the_workload_itself_wins_without_a_failure(kube, operator, wide, bring, run):
    kube.load([deployment("other", env=[{"name": "PORT", "value": "80"}])])
    one = wide(variable="LOG_LEVEL")

    change = next(found for found in Inject().plan(run()) if found.name == "api")
    done, failure = bring()

    words = "shop/api sets LOG_LEVEL itself, in the container web; the link of namespace shop gives way."
    assert failure is None
    assert change.notes == (words,)
    assert done.log.of("info").count(words) == 1
    assert env_of(kube)["LOG_LEVEL"] == "info"
    assert env_of(kube, "other")["LOG_LEVEL"]["name"] == one.object_name
    one.refresh_from_db()
    assert one.status == "in sync"


def test_a_file_that_does_not_fit_somewhere_is_left_out_there(kube, operator, wide, bring):
    kube.load([rich()])
    wide(variable="", target="file", path="/etc/nginx/certs/db")

    run, failure = bring()

    assert failure is None
    assert "shop/rich goes without /etc/nginx/certs/db" in run.log.of("info")
    assert "/etc/nginx/certs" in mounts_of(kube, "api")
    assert "/etc/nginx/certs" not in mounts_of(kube, "rich")


def test_unlinking_takes_it_away_everywhere(kube, operator, wide, bring, devops):
    kube.load([deployment("other")])
    one = wide()
    bring()
    services.unlink(link=ExternalSecret.objects.get(pk=one.pk), by=devops)

    _, failure = bring()

    assert failure is None
    for name in ("api", "other"):
        assert env_of(kube, name) == {"LOG_LEVEL": "info"}
    assert kube.get("Secret", one.object_name, "shop") is None


def test_what_is_configured_names_every_service_of_the_namespace(cluster, service, wide):
    factories.make_service(cluster=cluster, name="other")
    factories.make_service(cluster=cluster, name="elsewhere", namespace="jobs")
    wide()

    found = Inject().wanted(cluster, {})

    assert {body["metadata"]["name"] for body in found} == {"api", "other"}


def test_a_secret_that_is_not_there_is_asked_for_once_for_all_services(kube, operator, wide, bring):
    kube.load([deployment(f"more-{number}") for number in range(4)])
    one = wide("prod/nope", "NOPE")
    since = len(kube.requests)

    _, failure = bring()

    assert failure.cause.startswith("NOPE of namespace shop")
    asked = [
        path for _, path, _ in list(kube.requests)[since:] if path.endswith(f"/secrets/{one.object_name}")
    ]
    assert len(asked) == 2, "before it is made, and before it is left out"


class TestAliases:
    def test_another_name_has_no_object_and_no_call_of_its_own(self, kube, operator, link, bring):
        one = link()
        other = link("prod/db", "DATABASE", alias_of=one)

        _, failure = bring()

        assert failure is None
        assert env_of(kube)["DATABASE"] == {"name": one.object_name, "key": "DB"}
        assert len(kube.list("ExternalSecret")) == 1
        other.refresh_from_db()
        assert other.status == "in sync"

    def test_its_original_may_be_the_namespaces(self, kube, operator, link, wide, bring):
        space = wide(container="proxy")
        link("prod/db", "DATABASE", alias_of=space)

        _, failure = bring()

        assert failure is None
        assert env_of(kube)["DATABASE"] == {"name": space.object_name, "key": "DB"}

    def test_a_file_may_be_another_name_for_a_variable(self, kube, operator, link, bring):
        one = link()
        link("prod/db", "", alias_of=one, target="file", path="/vault/secrets/db")

        _, failure = bring()

        assert failure is None
        volume = mounts_of(kube)["/vault/secrets"]
        assert volume["projected"]["sources"][0]["secret"]["name"] == one.object_name

    def test_it_fails_with_its_original(self, kube, operator, link, bring):
        one = link("prod/nope", "DB")
        other = link("prod/nope", "DATABASE", alias_of=one)

        bring()

        for row in (one, other):
            row.refresh_from_db()
        assert (other.status, other.status_reason) == (one.status, one.status_reason)
        assert other.status == "failed"

    def test_a_second_deploy_writes_nothing(self, kube, operator, link, bring):
        link("prod/db", "DATABASE", alias_of=link())
        bring()
        since = len(kube.requests)

        _, failure = bring()

        assert failure is None
        assert writes(kube, since) == []
