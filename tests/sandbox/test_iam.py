"""The sandbox's EKS cluster takes the tokens of AWS's identities as EKS does, and refuses all others."""

import base64
import contextlib
import datetime
import json
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest

from clusters import kubeconfig, kubernetes
from clusters.kubernetes import signing
from credentials.clouds import aws
from credentials.clouds.aws import clusters
from credentials.clouds.base import Obstacle, Token
from sandbox import world
from sandbox.kubernetes import Cluster

pytestmark = pytest.mark.sandbox

REGION = "eu-west-3"
HERE = {"region": REGION, "name": "prod"}
USER = f"arn:aws:iam::{world.ACCOUNT}:user/console"


@pytest.fixture
def kube(sandbox_cloud, aws_endpoint) -> Any:
    with Cluster(kind="eks") as running:
        sandbox_cloud.enroll(running, "prod", [USER])
        yield running


@pytest.fixture
def keys(sandbox_cloud) -> aws.Keys:
    return aws.Keys(*sandbox_cloud.keys["console"])


def door(kube: Cluster, token: str) -> kubernetes.Door:
    """Return a door that signs in by one token and has no other."""
    authority = base64.b64encode(kube.ca_pem.encode()).decode()
    until = datetime.datetime.now(datetime.UTC) + clusters.LIFETIME
    tokens = signing.Supplier(lambda: Token(token, until), lambda: Obstacle("Refused.", "Nothing."))
    return kubernetes.connect_text(kubeconfig.bare(kube.url, authority), tokens=tokens)


def signed(keys: aws.Keys, **changes: str) -> str:
    return clusters.token(keys, {}, HERE | changes).text


def reread(token: str) -> str:
    text = token.removeprefix(clusters.PREFIX)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def rewritten(token: str, old: str, new: str) -> str:
    """Return a token whose address was changed after it was signed."""
    address = reread(token)
    assert old in address
    changed = base64.urlsafe_b64encode(address.replace(old, new).encode()).decode()
    return clusters.PREFIX + changed.rstrip("=")


def assert_refused(kube: Cluster, token: str) -> None:
    with pytest.raises(kubernetes.Unauthorized):
        door(kube, token).version()


def test_an_identity_with_an_access_entry_is_let_in(kube, keys):
    way = door(kube, signed(keys))

    assert way.whoami() == USER
    assert way.allowed("create", "", "secrets", "shop")


def test_a_token_for_another_cluster_is_refused(kube, keys):
    assert_refused(kube, signed(keys, name="staging"))


def test_a_name_changed_after_signing_is_refused(kube, keys):
    assert_refused(kube, rewritten(signed(keys), "SignedHeaders=host%3Bx-k8s-aws-id", "SignedHeaders=host"))


def test_an_expired_request_is_refused(kube, keys, monkeypatch):
    from botocore import auth

    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=16)
    monkeypatch.setattr(auth, "get_current_datetime", lambda **_: before.replace(tzinfo=None))

    assert_refused(kube, signed(keys))


def test_what_leads_elsewhere_than_to_aws_is_refused_and_not_called(kube, keys, sandbox_cloud):
    host = urlsplit(sandbox_cloud.url).netloc

    assert_refused(kube, rewritten(signed(keys), host, "127.0.0.1:9"))
    assert_refused(kube, rewritten(signed(keys), "GetCallerIdentity", "GetSessionToken"))
    assert_refused(kube, rewritten(signed(keys), "&X-Amz-Date", "&More=1&X-Amz-Date"))


@pytest.mark.parametrize(
    "text", ["", "k8s-aws-v1.", "k8s-aws-v1.???", "k8s-aws-v1.aHR0cDovLw", "k8s-aws-v2.x"]
)
def test_nonsense_is_refused(kube, text):
    assert_refused(kube, text or "x")


def test_a_wrong_key_is_refused(kube, keys):
    assert_refused(kube, signed(aws.Keys(keys.access_key_id, "w" * 40)))
    assert_refused(kube, signed(aws.Keys("AKIAWRONGWRONGWRONG1", "w" * 40)))


def test_an_identity_without_an_access_entry_is_refused(kube, sandbox_cloud):
    assert_refused(kube, signed(aws.Keys(*sandbox_cloud.keys["reader"])))


def test_an_identity_of_another_account_is_refused(kube, sandbox_cloud):
    assert_refused(kube, signed(aws.Keys(*sandbox_cloud.keys["foreigner"])))


def test_a_role_is_let_in_by_its_name_and_its_keys_end(kube, sandbox_cloud):
    role, session = assumed(sandbox_cloud, "keyhaven-entry")
    entry(sandbox_cloud, role)
    eks = sandbox_cloud.client("eks", "administrator")
    eks.associate_access_policy(
        clusterName="prod", principalArn=role, policyArn=POLICY, accessScope={"type": "cluster"}
    )
    token = signed(session)

    who = door(kube, token).whoami()
    sandbox_cloud.expire(session.access_key_id)

    assert who == f"arn:aws:sts::{world.ACCOUNT}:assumed-role/keyhaven-entry/keyhaven"
    assert_refused(kube, token)


POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


def assumed(cloud: Any, name: str) -> tuple[str, aws.Keys]:
    """Return a role with a path and the keys of a session of it."""
    iam, sts = cloud.client("iam", "administrator"), cloud.client("sts", "assumer")
    who = f"arn:aws:iam::{world.ACCOUNT}:user/assumer"
    trust = {"Effect": "Allow", "Principal": {"AWS": who}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, Path="/team/", AssumeRolePolicyDocument=document)
    arn = iam.get_role(RoleName=name)["Role"]["Arn"]
    found = sts.assume_role(RoleArn=arn, RoleSessionName="keyhaven")["Credentials"]
    return arn, aws.Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


@pytest.fixture(autouse=True)
def assumer(sandbox_cloud) -> None:
    if "assumer" not in sandbox_cloud.keys:
        sandbox_cloud.keys["assumer"] = sandbox_cloud.make_user("assumer", ["sts:AssumeRole"])


def entry(cloud: Any, arn: str, *groups: str) -> None:
    cloud.client("eks", "administrator").create_access_entry(
        clusterName="prod", principalArn=arn, kubernetesGroups=list(groups)
    )


def test_an_entry_with_a_group_gives_what_is_bound_to_the_group(kube, sandbox_cloud):
    keys = aws.Keys(*sandbox_cloud.make_user("grouped", ["eks:ListClusters"]))
    entry(sandbox_cloud, f"arn:aws:iam::{world.ACCOUNT}:user/grouped", "keyhaven")
    before = door(kube, signed(keys)).allowed("list", "", "pods")
    kube.load(ROLE)

    way = door(kube, signed(keys))

    assert not before
    assert way.allowed("list", "", "pods")
    assert not way.allowed("list", "", "secrets")


ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: looking}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: looking}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: looking}
subjects:
  - {kind: Group, name: keyhaven, apiGroup: rbac.authorization.k8s.io}
"""


def test_an_entry_that_is_taken_away_lets_nobody_in(kube, keys, sandbox_cloud):
    token = signed(keys)
    before = door(kube, token).whoami()
    sandbox_cloud.client("eks", "administrator").delete_access_entry(clusterName="prod", principalArn=USER)

    assert before == USER
    assert_refused(kube, token)


def test_a_cluster_in_a_process_of_its_own_enrolls_itself(sandbox_cloud, aws_endpoint, keys, tmp_path):
    command = [
        sys.executable, "-m", "sandbox.kubernetes", "--kubeconfig", str(tmp_path / "kubeconfig"), "--kind", "eks",
        "--aws-url", sandbox_cloud.url, "--eks", "alone", f"--access={USER}",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            found = clusters.describe(keys, {}, {"region": REGION, "name": "alone"})
            token = clusters.token(keys, {}, found.locator)
            tokens = signing.Supplier(lambda: token, lambda: Obstacle("Refused.", "Nothing."))
            way = kubernetes.connect_text(kubeconfig.bare(found.endpoint, found.authority), tokens=tokens)
            who = way.whoami()
        finally:
            process.terminate()

    assert found.endpoint == url
    assert who == USER
