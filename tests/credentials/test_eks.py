"""EKS through moto: clusters found and described as they are, with the least policy and without it."""

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clusters.joining import asking, manifest
from credentials.clouds import aws, errors
from credentials.clouds.aws import admission, clusters
from credentials.clouds.base import Found
from sandbox import world

pytestmark = pytest.mark.sandbox

REGION = "eu-west-3"
FACTS = {
    "partition": "aws",
    "account": world.ACCOUNT,
    "arn": f"arn:aws:iam::{world.ACCOUNT}:user/console",
}
AUTHORITY = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()


@pytest.fixture
def session(sandbox_cloud, aws_endpoint) -> aws.Keys:
    return aws.Keys(*sandbox_cloud.keys["console"])


@pytest.fixture
def register(sandbox_cloud) -> Any:
    """Return a function that lets EKS know a cluster; all of them are gone afterwards."""
    made: list[tuple[str, str]] = []

    def act(name: str, region: str = REGION, **more: Any) -> None:
        made.append((name, region))
        sandbox_cloud.register_eks(
            name=name, region=region, endpoint="https://127.0.0.1:6443", ca=AUTHORITY,
            issuer="https://oidc.eks.eu-west-3.amazonaws.com/id/ABC", version="1.36", **more,
        )  # fmt: skip

    yield act
    for name, region in made:
        sandbox_cloud.client("eks", "administrator", region).delete_cluster(name=name)


def find(session: aws.Keys, place: str = REGION) -> dict[str, Found]:
    return {one.name: one for one in clusters.find(session, FACTS, place)}


def test_a_cluster_is_described_as_it_is(session, register):
    register("prod", access=[])

    found = find(session)["prod"]

    assert found == clusters.describe(session, FACTS, {"region": REGION, "name": "prod"})
    assert (found.endpoint, found.authority, found.version) == ("https://127.0.0.1:6443", AUTHORITY, "1.36")
    assert found.issuer == "https://oidc.eks.eu-west-3.amazonaws.com/id/ABC"
    assert (found.account, found.place, found.status) == (world.ACCOUNT, REGION, "ACTIVE")
    assert found.locator == {"region": REGION, "name": "prod"}
    assert (found.blocked, found.note) == (None, "")


def test_another_region_has_its_own(session, register):
    register("prod", "us-east-1")

    assert find(session) == {}
    assert list(find(session, "us-east-1")) == ["prod"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"status": "CREATING"}, "being made"),
        ({"status": "DELETING"}, "being deleted"),
        ({"status": "FAILED"}, "failed"),
        ({"endpoint": ""}, "no endpoint"),
    ],
)
def test_what_cannot_be_connected_says_why(session, sandbox_cloud, register, more, words):
    register("half")
    given = {"name": "half", "region": REGION, "endpoint": "https://127.0.0.1:1", "ca": "", "issuer": ""}
    sandbox_cloud.register_eks(**(given | more))

    found = find(session)["half"]

    assert words in found.blocked.reason
    assert found.blocked.remedy


def test_an_endpoint_that_is_not_for_everybody_is_noted(session, register):
    register("private", public=False)
    register("walled", networks=["198.51.100.0/24"])

    found = find(session)

    assert "VPC" in found["private"].note
    assert "networks" in found["walled"].note
    assert [one.blocked for one in found.values()] == [None, None]


def test_many_clusters_are_paged_and_the_rest_is_named_alone(session, register):
    for number in range(clusters.DESCRIBED + 3):
        register(f"cluster-{number:03d}")

    found = list(find(session).values())

    assert [one.name for one in found] == [
        f"cluster-{number:03d}" for number in range(clusters.DESCRIBED + 3)
    ]
    assert [bool(one.endpoint) for one in found] == [True] * clusters.DESCRIBED + [False] * 3


def test_who_may_not_list_is_told_the_permission_and_its_policy(sandbox_cloud, aws_endpoint):
    with pytest.raises(errors.PermissionMissing) as refusal:
        find(aws.Keys(*sandbox_cloud.keys["reader"]))

    assert refusal.value.permission == "eks:ListClusters"
    assert '"eks:DescribeCluster"' in refusal.value.policy


def test_who_may_list_and_not_describe_sees_a_blocked_cluster(sandbox_cloud, aws_endpoint, register):
    register("prod")
    keys = sandbox_cloud.make_user("lister", ["eks:ListClusters"])

    found = find(aws.Keys(*keys))["prod"]

    assert "eks:DescribeCluster" in found.blocked.reason
    assert found.locator == {"region": REGION, "name": "prod"}


def test_what_is_gone_is_not_there(session, aws_endpoint):
    with pytest.raises(errors.NotThere):
        clusters.describe(session, FACTS, {"region": REGION, "name": "gone"})


@pytest.mark.parametrize(
    "locator", [{}, {"region": "evil.example/", "name": "x"}, {"region": REGION, "name": "../x"}]
)
def test_a_locator_of_nothing_is_refused_before_anybody_is_asked(session, locator):
    with pytest.raises(errors.NotThere):
        clusters.describe(session, FACTS, locator)
    with pytest.raises(errors.NotThere):
        clusters.token(session, FACTS, locator)


def test_the_first_region_is_the_partitions_own():
    places = clusters.places({"partition": "aws-cn"})

    assert places == [
        ("cn-north-1", "China (Beijing), cn-north-1"),
        ("cn-northwest-1", "China (Ningxia), cn-northwest-1"),
    ]
    assert clusters.places({})[0][0] == "us-east-1"
    assert ("eu-west-3", "Europe (Paris), eu-west-3") in clusters.places({})


def test_a_token_is_a_signed_request_to_the_regions_sts(monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    keys = aws.Keys("ASIATESTTESTTESTTEST", "s" * 40, "session-token")

    found = clusters.token(keys, FACTS, {"region": "cn-north-1", "name": "prod"})

    text = found.text.removeprefix(clusters.PREFIX)
    signed = urlsplit(base64.urlsafe_b64decode(text + "==").decode())
    query = {name: values[0] for name, values in parse_qs(signed.query).items()}
    assert "=" not in text
    assert (signed.scheme, signed.netloc, signed.path) == ("https", "sts.cn-north-1.amazonaws.com.cn", "/")
    assert (query["Action"], query["X-Amz-Expires"]) == ("GetCallerIdentity", "60")
    assert query["X-Amz-SignedHeaders"] == "host;x-k8s-aws-id"
    assert query["X-Amz-Security-Token"] == "session-token"
    assert found.text not in repr(found)


# -- the words for people ----------------------------------------------------------------------------
def test_a_roles_session_is_known_by_its_role():
    facts = {"arn": "arn:aws-cn:sts::123456789012:assumed-role/Keyhaven/keyhaven"}

    assert admission.principal(facts) == "arn:aws-cn:iam::123456789012:role/Keyhaven"
    assert admission.principal(FACTS) == FACTS["arn"]


def test_the_steps_are_commands_for_this_cluster_and_identity(session, register):
    register("prod")

    entry, bind = admission.cards(FACTS, find(session)["prod"])

    command = entry.listings[0].text
    assert command.startswith("aws eks create-access-entry --cluster-name prod --region eu-west-3 ")
    assert FACTS["arn"] in command
    assert "--kubernetes-groups keyhaven" in command
    assert asking.apply_command(manifest.Options(group=admission.GROUP)) == bind.listings[0].text
    assert "AmazonEKSClusterAdminPolicy" in bind.listings[1].text


def test_an_old_cluster_is_told_of_its_config_map(session, register):
    register("old", mode="CONFIG_MAP")
    facts = FACTS | {"arn": f"arn:aws:iam::{world.ACCOUNT}:role/team/Keyhaven"}

    entry, bind = admission.cards(facts, find(session)["old"])

    assert "aws-auth" in entry.text
    assert f"rolearn: arn:aws:iam::{world.ACCOUNT}:role/Keyhaven\n" in entry.listings[1].text
    assert [listing.label for listing in bind.listings] == ["Command"]
