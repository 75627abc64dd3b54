"""An AWS-compatible endpoint: one for all AWS accesses of a cluster, for the console and for an operator of ours."""

import pytest
from django.utils import timezone

from accesses import chart, installed, operators, trials
from accesses.models import OperatorState
from accesses.steps import operator as steps
from accounts.models import AuditEvent
from tests import factories
from tests.accesses import worlds
from tests.accesses.worlds import Sandbox

pytestmark = pytest.mark.django_db
URL = "/o/acme/clusters/prod/add-ons/operator/endpoint/"


@pytest.fixture
def cluster(organization):
    return factories.make_cluster(organization=organization, name="prod")


@pytest.mark.sandbox
@pytest.mark.parametrize("slug", ["aws-secrets-manager", "aws-parameter-store"])
def test_the_console_asks_there(slug, request, monkeypatch):
    found = worlds.of(slug, "static", Sandbox(request))
    url = request.getfixturevalue("sandbox_cloud").url
    access = worlds.make_access(slug, found, found.good)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    before = trials.try_access(access)
    access.cluster.aws_endpoint = url
    after = trials.try_access(access)

    assert not before.listed
    assert after.listed
    assert after.names


def test_an_endpoint_that_leads_to_the_clouds_own_address_by_now_is_not_asked():
    access = factories.make_access()
    access.cluster.aws_endpoint = "http://169.254.169.254"

    result = trials.try_access(access)

    assert not result.usable
    assert "operator's page" in result.remedy


def test_the_page_takes_it_tells_it_and_warns(cluster, sign_in, devops):
    factories.make_access(cluster=cluster, name="aws")
    browser = sign_in(devops)

    shown = browser.get(URL).content.decode()
    done = browser.post(URL, {"endpoint": "https://aws.example.com/"})
    operator = browser.get("/o/acme/clusters/prod/add-ons/operator/").content.decode()

    cluster.refresh_from_db()
    assert "It holds for every AWS access of prod" in shown
    assert "It concerns aws" in shown
    assert done.status_code == 302
    assert cluster.aws_endpoint == "https://aws.example.com"
    assert "https://aws.example.com" in operator
    assert "AWS_SECRETSMANAGER_ENDPOINT" in operator
    event = AuditEvent.objects.get(action="operator.endpoint_changed")
    assert "https://aws.example.com" in str(event.details)


@pytest.mark.parametrize(
    "typed", ["aws", "ftp://aws.example.com", "http://169.254.169.254", "https://user:pw@aws.example.com"]
)
def test_the_page_refuses_what_is_no_address(typed, cluster, sign_in, devops):
    answer = sign_in(devops).post(URL, {"endpoint": typed})

    cluster.refresh_from_db()
    assert answer.status_code == 422
    assert cluster.aws_endpoint == ""


def test_of_an_adopted_operator_the_page_says_what_to_set(cluster, sign_in, devops):
    OperatorState.objects.create(cluster=cluster, adopted=True, seen_at=timezone.now())

    shown = sign_in(devops).get(URL).content.decode()

    assert "cannot be set from here for the operator" in shown
    assert all(name in shown for name in chart.ENDPOINTS)


def test_what_is_there_already_is_no_change(cluster, devops):
    assert operators.lead(cluster=cluster, endpoint="https://aws.example.com", by=devops)
    assert not operators.lead(cluster=cluster, endpoint="https://aws.example.com", by=devops)
    assert AuditEvent.objects.filter(action="operator.endpoint_changed").count() == 1


def test_the_chart_gets_it_as_the_operators_variables():
    given = chart.values("https://aws.example.com")["extraEnv"]

    assert {one["name"] for one in given} == set(chart.ENDPOINTS)
    assert {one["value"] for one in given} == {"https://aws.example.com"}
    assert "extraEnv" not in chart.values()


def test_an_operator_of_ours_that_asks_elsewhere_is_a_change(cluster):
    cluster.aws_endpoint = "https://aws.example.com"
    ours = installed.Installed("external-secrets", "v2.9.0", ours=True)
    led = installed.Installed("external-secrets", "v2.9.0", ours=True, endpoint="https://aws.example.com")
    adopted = installed.Installed("external-secrets", "v2.9.0", ours=False)

    assert steps._differs(ours, cluster)
    assert not steps._differs(led, cluster)
    assert not steps._differs(adopted, cluster)


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ([], ""),
        ([{"name": name, "value": "https://a"} for name in chart.ENDPOINTS], "https://a"),
        # One that leads only some of the services is as wanted by nobody.
        ([{"name": "AWS_SSM_ENDPOINT", "value": "https://a"}], "AWS_SSM_ENDPOINT=https://a"),
        ([{"name": "AWS_SSM_ENDPOINT", "valueFrom": {}}], ""),
    ],
)
def test_the_operators_own_variables_are_read(env, found):
    containers = [{"name": "sidecar"}, {"name": "external-secrets", "env": env}]

    assert installed._endpoint({"spec": {"template": {"spec": {"containers": containers}}}}) == found
