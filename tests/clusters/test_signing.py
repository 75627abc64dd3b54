"""Clusters that are signed in to by tokens: kept in memory, renewed before their end and after a refusal."""

import datetime
import logging
import threading
from typing import Any

import pytest
import yaml
from django.db import connection, transaction
from django.utils import timezone

from clusters import kubeconfig, kubernetes
from clusters.kubernetes import signing
from credentials.clouds import errors
from credentials.clouds.base import Obstacle, Token
from credentials.models import CloudCredential
from sandbox.kubernetes import Cluster
from tests import factories

pytestmark = pytest.mark.sandbox

MINUTES_14 = datetime.timedelta(minutes=14)


@pytest.fixture
def cluster() -> Any:
    with Cluster() as running:
        yield running


class Cloud:
    """Gives the sandbox cluster's own tokens, or another text, or an error; counts how often it is asked."""

    def __init__(self, cluster: Cluster, lifetime: datetime.timedelta = MINUTES_14) -> None:
        self.cluster, self.lifetime, self.asked = cluster, lifetime, 0
        self.gives: str | errors.ProviderError | None = None

    def fetch(self) -> Token:
        self.asked += 1
        if isinstance(self.gives, errors.ProviderError):
            raise self.gives
        return Token(self.gives or self.cluster.token(), timezone.now() + self.lifetime)

    def supplier(self) -> signing.Supplier:
        return signing.Supplier(
            self.fetch, lambda: Obstacle("It does not know aws-prod.", "Make an access entry.")
        )


def bare(cluster: Cluster) -> str:
    held = yaml.safe_load(cluster.kubeconfig())["clusters"][0]["cluster"]
    return kubeconfig.bare(held["server"], held["certificate-authority-data"])


def open_door(cluster: Cluster, cloud: Cloud, **options: Any) -> kubernetes.Door:
    return kubernetes.connect_text(bare(cluster), tokens=cloud.supplier(), **options)


def test_a_bare_kubeconfig_names_nobody(cluster):
    text = bare(cluster)

    assert yaml.safe_load(text)["users"] == [{"name": "user", "user": {}}]
    assert kubeconfig.server(text) == cluster.url
    with pytest.raises(kubernetes.Unauthorized, match="nobody"):
        kubernetes.connect_text(text)


@pytest.mark.parametrize(
    ("address", "authority", "words"),
    [
        ("http://127.0.0.1:1", "LS0tLS1CRUdJTg==", "https://"),
        ("https://169.254.169.254", "LS0tLS1CRUdJTg==", "never called"),
        ("https://127.0.0.1:1", "", "missing"),
        ("https://127.0.0.1:1", "bm9wZQ==", "PEM"),
    ],
)
def test_a_bare_kubeconfig_is_checked_as_a_pasted_one(address, authority, words):
    with pytest.raises(kubeconfig.KubeconfigRefused, match=words):
        kubeconfig.bare(address, authority)


def test_a_token_is_kept_for_many_requests(cluster):
    cloud = Cloud(cluster)
    door = open_door(cluster, cloud)

    names = {door.whoami() for _ in range(3)}

    assert names == {"sandbox-admin"}
    assert cloud.asked == 1


def test_a_token_that_ends_within_a_minute_is_renewed(cluster):
    cloud = Cloud(cluster, datetime.timedelta(seconds=59))
    door = open_door(cluster, cloud)

    door.version()
    door.version()

    assert cloud.asked == 2


def test_a_refused_token_is_renewed_once(cluster):
    cloud = Cloud(cluster)
    door = open_door(cluster, cloud)
    door.version()
    cluster.identities.users["sandbox-admin"].token = "another-token"

    said = door.version()

    assert said == "v1.36.2-sandbox"
    assert cloud.asked == 2


def test_who_stays_unknown_is_told_so_in_the_clouds_words(cluster):
    cloud = Cloud(cluster)
    cloud.gives = "canary-token-of-nobody"
    door = open_door(cluster, cloud)

    with pytest.raises(kubernetes.Unauthorized) as refusal:
        door.version()

    assert (refusal.value.reason, refusal.value.remedy) == (
        "It does not know aws-prod.",
        "Make an access entry.",
    )
    assert cloud.asked == 2


def test_many_threads_that_are_refused_renew_once(cluster):
    cloud = Cloud(cluster)
    door = open_door(cluster, cloud)
    door.version()
    cluster.identities.users["sandbox-admin"].token = "another-token"
    said: list[str] = []
    threads = [threading.Thread(target=lambda: said.append(door.version())) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert said == ["v1.36.2-sandbox"] * 8
    assert cloud.asked == 2


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (errors.CredentialRefused("AWS does not accept these keys."), kubernetes.Unauthorized),
        (errors.PermissionMissing("eks:DescribeCluster"), kubernetes.Unauthorized),
        (errors.NotReachable("AWS does not answer."), kubernetes.Unreachable),
        (errors.Throttled("AWS asks to slow down."), kubernetes.Unreachable),
    ],
)
def test_a_cloud_that_gives_no_token_is_told_with_its_remedy(cluster, trouble, kind):
    cloud = Cloud(cluster)
    cloud.gives = trouble

    with pytest.raises(kind) as failure:
        open_door(cluster, cloud).version()

    assert (failure.value.reason, failure.value.remedy) == (trouble.reason, trouble.remedy)


def test_a_cloud_that_is_silent_for_a_moment_is_asked_again(cluster):
    cloud = Cloud(cluster)
    cloud.gives = errors.NotReachable("AWS does not answer.")
    door = open_door(cluster, cloud, patience=10, budget=20)
    threading.Timer(0.5, lambda: setattr(cloud, "gives", None)).start()

    assert door.version() == "v1.36.2-sandbox"
    assert cloud.asked > 1


def test_a_token_is_in_no_exception_repr_or_log(cluster, caplog):
    caplog.set_level(logging.DEBUG)
    cloud = Cloud(cluster)
    cloud.gives = "canary-token-of-nobody"
    supplier = cloud.supplier()
    door = kubernetes.connect_text(bare(cluster), tokens=supplier)

    with pytest.raises(kubernetes.Unauthorized) as refusal:
        door.version()

    told = [repr(refusal.value), repr(door), repr(supplier), repr(cloud.fetch()), caplog.text]
    assert [one for one in told if "canary-token" in one] == []


def test_a_message_that_quotes_a_token_is_redacted():
    said = kubernetes.ClusterError("No user for k8s-aws-v1.aHR0cHM6Ly9zdHM and ya29.c.b0Aa_x-y")

    assert "aHR0" not in said.reason
    assert "b0Aa" not in said.reason


@pytest.mark.django_db
def test_a_cluster_that_signs_in_by_its_kubeconfig_has_no_supplier(cluster):
    connected = factories.make_cluster(kubeconfig=kubeconfig.reduce(cluster.kubeconfig()), server=cluster.url)

    assert signing.of(connected) is None
    assert signing.kubeconfig_of(connected) == connected.kubeconfig
    assert kubernetes.connect(connected).whoami() == "sandbox-admin"


@pytest.mark.django_db
def test_a_credential_whose_cloud_has_no_way_in_is_said():
    credential = factories.make_cloud_credential(cloud="nowhere")

    with pytest.raises(kubernetes.Unauthorized, match="does not sign in to clusters"):
        signing.supplier(credential, {}).token()


@pytest.mark.django_db(transaction=True)
class TestThreads:
    """Doors are used by threads that have no connection to the database, and by transactions that hold the row."""

    @pytest.fixture
    def credential(self, sandbox_cloud, aws_endpoint) -> Any:
        key_id, secret = sandbox_cloud.keys["console"]
        keys = {"access_key_id": key_id, "secret_access_key": secret}
        return factories.make_cloud_credential(secret=keys)

    def test_a_thread_leaves_no_connection_to_the_database(self, credential):
        supplier = signing.supplier(credential, {"region": "eu-west-3", "name": "prod"})
        seen: list[Any] = []

        def ask() -> None:
            seen.extend((supplier.token()[:11], connection.connection))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

        assert seen == ["k8s-aws-v1.", None]
        credential.refresh_from_db()
        assert credential.used_at is not None

    def test_a_row_that_is_held_is_not_waited_for(self, credential):
        """Else a transaction would wait for a thread that waits for the transaction."""
        supplier = signing.supplier(credential, {"region": "eu-west-3", "name": "prod"})
        with transaction.atomic():
            CloudCredential.objects.select_for_update().get(pk=credential.pk)
            thread = threading.Thread(target=supplier.token, daemon=True)
            thread.start()
            thread.join(timeout=10)
            ended = not thread.is_alive()

        assert ended
