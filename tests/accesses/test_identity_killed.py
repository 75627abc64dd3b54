"""A worker that is killed after any request to IAM leaves nothing that the next run does not finish or remove."""

from typing import Any

import botocore.client
import pytest

from accesses import services
from accesses.models import Identity
from accesses.steps import Identities
from tests.accesses.test_identity import (
    access,
    apply,
    cluster,
    credential,
    iam,
    kube,
    plan,
    policy_of,
    role_of,
)
from tests.runs import make_run

__all__ = ["access", "cluster", "credential", "iam", "kube"]
pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]


class Killed(BaseException):
    """No code of ours catches it, as none catches SIGKILL."""


@pytest.fixture
def kill_after(monkeypatch):
    """Return a function that lets a worker die right after its n-th request to AWS was answered."""
    real = botocore.client.BaseClient._make_api_call

    def act(number: int) -> None:
        seen = [0]

        def counting(self: Any, operation: str, arguments: Any) -> Any:
            answer: Any = None
            try:
                answer = real(self, operation, arguments)
            finally:
                seen[0] += 1
                if seen[0] == number:
                    raise Killed
            return answer

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", counting)

    yield act
    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", real)


def run_until_killed(cluster: Any) -> bool:
    try:
        Identities().apply(make_run(type(cluster).objects.get(pk=cluster.pk)))
    except Killed:
        return True
    return False


def left_in(iam: Any) -> tuple[set[str], set[str]]:
    roles = {
        role["RoleName"] for role in iam.list_roles()["Roles"] if role["RoleName"].startswith("keyhaven-aws")
    }
    arns = {one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]}
    return roles, arns


@pytest.mark.parametrize("number", range(1, 7))
def test_the_next_run_ends_as_one_that_was_never_killed(
    cluster, access, iam, kill_after, monkeypatch, number
):
    kill_after(number)
    killed = run_until_killed(cluster)
    monkeypatch.undo()
    monkeypatch.setenv("AWS_ENDPOINT_URL", iam.meta.endpoint_url)

    apply(cluster)

    assert killed
    assert role_of(iam, access)["Tags"]
    assert policy_of(iam, access)["Statement"][-1]["Action"] == ["secretsmanager:ListSecrets"]
    assert {change.action for change in plan(cluster)} == {"unchanged"}
    assert Identity.objects.count() == 1


@pytest.mark.parametrize("number", range(1, 7))
def test_nothing_is_left_when_the_access_goes_meanwhile(
    cluster, access, iam, devops, kill_after, monkeypatch, number
):
    before = left_in(iam)
    kill_after(number)
    run_until_killed(cluster)
    monkeypatch.undo()
    monkeypatch.setenv("AWS_ENDPOINT_URL", iam.meta.endpoint_url)
    services.delete(access=access, by=devops)

    apply(cluster)

    assert left_in(iam) == before
    assert not Identity.objects.exists()


@pytest.mark.parametrize("number", range(1, 9))
def test_a_removal_that_was_killed_is_finished(cluster, access, iam, devops, kill_after, monkeypatch, number):
    before = left_in(iam)
    apply(cluster)
    services.delete(access=access, by=devops)
    kill_after(number)
    killed = run_until_killed(cluster)
    monkeypatch.undo()
    monkeypatch.setenv("AWS_ENDPOINT_URL", iam.meta.endpoint_url)

    apply(cluster)

    assert killed
    assert left_in(iam) == before
    assert not Identity.objects.exists()
