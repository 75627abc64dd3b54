"""Every key of a secret becomes a variable or a file; the names come from the Secret's metadata, never its data."""

import json

import pytest

from external_secrets.models import ExternalSecret
from external_secrets.steps import Inject
from external_secrets.steps import targets as targets_
from tests.external_secrets.deploys.world import VALUE, env_of, mounts_of, writes

pytestmark = [pytest.mark.django_db, pytest.mark.sandbox]


@pytest.fixture
def app(operator, link):
    """A link of every key of the JSON secret prod/app, as variables that begin with APP_."""
    put(operator, user=VALUE, password=VALUE)
    return link("prod/app", "APP_", takes="keys")


def put(operator, **data):
    operator.upstream["prod/app"] = json.dumps(data)


def names_of(kube, **where):
    return {name for name in env_of(kube, **where) if name != "LOG_LEVEL"}


def test_each_key_is_a_variable(kube, app, bring):
    run, failure = bring()

    assert failure is None
    assert env_of(kube)["APP_USER"] == {"name": app.object_name, "key": "user", "optional": True}
    assert names_of(kube) == {"APP_USER", "APP_PASSWORD"}
    app.refresh_from_db()
    assert app.seen_keys == ["password", "user"]
    assert VALUE not in str(run.log) + str(app.events)


def test_a_second_deploy_writes_nothing_and_reads_one_secret_more(kube, app, bring):
    bring()
    since = len(kube.requests)

    _, failure = bring()

    assert failure is None
    assert writes(kube, since) == []
    secrets = [path for method, path, _ in list(kube.requests)[since:] if "/secrets" in path]
    assert secrets == [f"/api/v1/namespaces/shop/secrets/{app.object_name}"]


def test_keys_come_and_go_with_their_secret(kube, operator, app, bring):
    bring()
    put(operator, user=VALUE, token=VALUE)
    operator.again()

    _, failure = bring()

    assert failure is None
    assert names_of(kube) == {"APP_USER", "APP_TOKEN"}


def test_a_secret_that_is_gone_takes_no_variable_away(kube, operator, app, bring):
    bring()
    operator.upstream["prod/app"] = PermissionError("AccessDeniedException: no")
    operator.again()
    kube.store.remove(("", "secrets", "shop", app.object_name))

    _, failure = bring()

    assert "aws is not allowed to read prod/app" in failure.cause
    assert names_of(kube) == {"APP_USER", "APP_PASSWORD"}


def test_before_its_secret_is_there_it_is_left_out(kube, operator, link, bring):
    link("prod/nope", "APP_", takes="keys")
    link()

    run, failure = bring()

    assert "no secret named prod/nope" in failure.cause
    assert "is left out, its Secret is not there" in run.log.of("warning")
    assert names_of(kube) == {"DB"}


def test_a_link_of_one_value_wins(kube, app, link, bring):
    one = link("prod/db", "APP_USER")

    _, failure = bring()

    assert failure is None
    assert env_of(kube)["APP_USER"]["name"] == one.object_name
    assert env_of(kube)["APP_PASSWORD"]["name"] == app.object_name


def test_two_keys_of_one_name_are_named(kube, operator, app, bring):
    put(operator, **{"max-size": VALUE, "max.size": VALUE})

    run, failure = bring()

    assert failure is None
    assert env_of(kube)["APP_MAX_SIZE"]["key"] == "max-size"
    assert "max-size and max.size make the same variable; the first one wins" in str(run.log)


def test_what_the_workload_sets_itself_stays(kube, operator, app, bring):
    ExternalSecret.objects.update(variable="")
    put(operator, log_level=VALUE, user=VALUE)

    run, failure = bring()

    assert failure is None
    assert env_of(kube)["LOG_LEVEL"] == "info"
    assert "USER" in env_of(kube)
    assert "shop/api sets LOG_LEVEL itself" in run.log.of("info")


def test_as_files_they_are_a_directory_that_needs_no_names(kube, operator, app, bring):
    ExternalSecret.objects.update(target="file", variable="", path="/vault/app")
    kube.faults.answer("/secrets/", 403, "secrets is forbidden", method="GET")

    _, failure = bring()

    assert failure is None
    one = ExternalSecret.objects.get()
    sources = mounts_of(kube)["/vault/app"]["projected"]["sources"]
    assert sources == [{"secret": {"name": one.object_name}}]


def test_without_the_right_to_look_it_is_said_what_is_missing(kube, app, link, bring):
    link()
    kube.faults.answer(f"/secrets/{app.object_name}", 403, "secrets is forbidden", method="GET")

    _, failure = bring()

    assert "may not look at the Secret" in failure.cause
    assert "get Secrets there" in failure.remedy
    assert names_of(kube) == {"DB"}


def test_many_are_listed_at_once(kube, operator, link, bring, run):
    for number in range(6):
        operator.upstream[f"prod/app-{number}"] = json.dumps({"key": VALUE})
        link(f"prod/app-{number}", f"APP{number}_", takes="keys")
    bring()
    since = len(kube.requests)
    one = run()

    targets_.read(one, list(ExternalSecret.objects.select_related("access", "alias_of")))

    asked = [path.partition("?")[0] for _, path, _ in list(kube.requests)[since:]]
    assert asked == ["/api/v1/namespaces/shop/secrets"]
    assert [change.action for change in Inject().plan(run())] == ["unchanged"]
