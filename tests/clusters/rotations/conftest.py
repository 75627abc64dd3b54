"""An IAM user at moto whose keys are rotated, and clusters that use them."""

import itertools
import json
from typing import Any

import pytest

from clusters import deploys, looks, runner
from clusters.rotations import making
from credentials import services as credentials
from sandbox import aws, aws_seeds
from tests import factories

_number = itertools.count(1)
KEYS = (
    "iam:ListAccessKeys", "iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:DeleteAccessKey",
    "iam:GetAccessKeyLastUsed",
)  # fmt: skip


class IamUser:
    """A user at moto, as its administrator sees it; it may replace its own keys unless that is taken away."""

    def __init__(self, cloud: Any, name: str) -> None:
        self.cloud, self.name = cloud, name
        self.iam = cloud.client("iam", "administrator")
        self.iam.create_user(UserName=name)
        self.allow(*KEYS)
        self.first = self.make_key()

    def allow(self, *actions: str) -> None:
        reading = aws_seeds.users("x")["reader"]
        more = [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}] if actions else []
        document = json.dumps({"Version": "2012-10-17", "Statement": reading + more})
        self.iam.put_user_policy(UserName=self.name, PolicyName="all", PolicyDocument=document)

    def make_key(self) -> dict[str, str]:
        made = self.iam.create_access_key(UserName=self.name)["AccessKey"]
        return {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}

    def statuses(self) -> dict[str, str]:
        """Return the keys that there are, each with its status."""
        found = self.iam.list_access_keys(UserName=self.name)["AccessKeyMetadata"]
        return {one["AccessKeyId"]: one["Status"] for one in found}

    def works(self, secret: dict[str, str]) -> bool:
        """Tell whether a key still signs in."""
        key = (secret["access_key_id"], secret["secret_access_key"])
        try:
            aws._client("sts", self.cloud.url, key).get_caller_identity()
        except Exception:
            return False
        return True


@pytest.fixture
def user(sandbox_cloud: Any, aws_endpoint: str) -> IamUser:
    return IamUser(sandbox_cloud, f"rotated-{next(_number)}")


@pytest.fixture
def credential(organization: Any, admin: Any, user: IamUser) -> Any:
    """A credential with the user's first key."""
    return credentials.create(
        organization=organization,
        name="aws-prod",
        cloud="aws",
        method="static",
        secret=user.first,
        given={"partition": "aws"},
        by=admin,
    )


@pytest.fixture
def prod(organization: Any, credential: Any) -> Any:
    """A cluster that uses the credential and was deployed once."""
    cluster = factories.make_cluster(
        organization=organization, name="prod", credential=credential, generation=3, deployed_generation=3
    )
    factories.make_access(cluster=cluster, name="aws", cloud_credential=credential, credential={})
    ran(cluster)
    return cluster


def ran(cluster: Any, status: str = "succeeded") -> Any:
    """Make a deploy of a cluster as it is now, which has ended."""
    from django.utils import timezone

    from clusters.models import Cluster, Deploy

    cluster.refresh_from_db()
    now = timezone.now()
    made = Deploy.objects.create(
        cluster=cluster, number=cluster.deploys.count() + 1, by_name="x", status=status,
        generation=cluster.generation, started_at=now, finished_at=now, error="The API server is away." if status == "failed" else "",
    )  # fmt: skip
    if status == "succeeded":
        Cluster.objects.filter(pk=cluster.pk).update(deployed_generation=cluster.generation)
    return made


@pytest.fixture
def messages(monkeypatch: Any) -> list[dict[str, Any]]:
    """What the workers are told: which key to make."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: None)
    monkeypatch.setattr(looks.tasks.look, "delay", lambda cluster_id: None)
    monkeypatch.setattr(making.tasks.make_key, "delay", lambda **given: sent.append(given))
    return sent


def run_deploys() -> None:
    """Run what waits, as a worker does."""
    while runner.run_next():
        pass
