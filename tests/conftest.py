"""People and places that tests share; engines and keys are in tests/settings.py."""

from pathlib import Path
from typing import Any

import pytest
import pytest_socket

pytest_plugins = ["tests.world"]


def pytest_runtest_setup() -> None:
    """No test leaves the machine: loopback and unix sockets only."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def project() -> Path:
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared(project: Path) -> Path:
    """The folder with ESO's CRDs and their validator, beside the project where it is there."""
    folder = project.parent / "shared"
    if not folder.is_dir():
        pytest.skip("there is no ../shared beside the project")
    return folder


@pytest.fixture
def organization(db: None) -> Any:
    from tests.factories import make_organization

    return make_organization(name="Acme", slug="acme")


def _member(organization: Any, role: str) -> Any:
    from tests.factories import make_member

    return make_member(organization, role)


@pytest.fixture
def owner(organization: Any) -> Any:
    return _member(organization, "owner")


@pytest.fixture
def admin(organization: Any) -> Any:
    return _member(organization, "admin")


@pytest.fixture
def devops(organization: Any) -> Any:
    return _member(organization, "devops")


@pytest.fixture
def auditor(organization: Any) -> Any:
    return _member(organization, "auditor")


@pytest.fixture
def viewer(organization: Any) -> Any:
    return _member(organization, "viewer")


@pytest.fixture
def outsider(db: None) -> Any:
    """An owner, but of another organization."""
    from tests.factories import make_organization

    return _member(make_organization(name="Globex", slug="globex"), "owner")


@pytest.fixture
def sign_in(client: Any) -> Any:
    """Return a function that signs a person in and returns the client."""

    def act(user: Any) -> Any:
        client.force_login(user)
        return client

    return act


@pytest.fixture(scope="session")
def sandbox_cloud() -> Any:
    """The AWS stand-in, with a few hundred names."""
    from sandbox.aws import Cloud

    with Cloud(count=300) as cloud:
        yield cloud


@pytest.fixture
def aws_endpoint(sandbox_cloud: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox_cloud.url)
    return str(sandbox_cloud.url)


@pytest.fixture(scope="session")
def sandbox_google() -> Any:
    """The Google stand-in, with a few hundred names."""
    from sandbox.google import Google

    with Google(count=300) as google:
        yield google


@pytest.fixture
def google_endpoint(sandbox_google: Any, settings: Any) -> Any:
    """Google's addresses lead to the stand-in, which has no faults before or after, and only the keys it handed out."""
    sandbox_google.plant("faults")
    sandbox_google.plant("keys")
    settings.GOOGLE_ENDPOINT_URL = sandbox_google.url
    yield sandbox_google.url
    sandbox_google.plant("faults")


@pytest.fixture(scope="session")
def sandbox_azure() -> Any:
    """The Azure stand-in."""
    from sandbox.azure import Azure

    with Azure() as azure:
        yield azure


@pytest.fixture
def azure_endpoint(sandbox_azure: Any, settings: Any) -> Any:
    """Azure's addresses lead to the stand-in, which has no faults before or after."""
    sandbox_azure.plant("faults")
    settings.AZURE_ENDPOINT_URL = sandbox_azure.url
    yield sandbox_azure.url
    sandbox_azure.plant("faults")


@pytest.fixture(scope="session")
def sandbox_openbao() -> Any:
    """A real OpenBao server, with some 200 names."""
    from sandbox.openbao import OpenBao

    with OpenBao() as openbao:
        yield openbao


@pytest.fixture
def openbao(sandbox_openbao: Any) -> Any:
    """The same, without rate limits before or after; what a test writes to it goes with the test."""
    sandbox_openbao.well()
    yield sandbox_openbao
    sandbox_openbao.well()
    sandbox_openbao.forget()


@pytest.fixture(scope="session")
def vault_cluster(sandbox_openbao: Any) -> Any:
    """A cluster without an operator, whose ServiceAccounts OpenBao lets in by roles of its policies' names."""
    from sandbox.kubernetes import Cluster

    with Cluster() as cluster:
        sandbox_openbao.trust(cluster.url, cluster.ca_pem, cluster.token())
        for policy in sandbox_openbao.keys:
            sandbox_openbao.bind(policy, policy=policy)
        yield cluster


@pytest.fixture(scope="session")
def sandbox_vendors() -> Any:
    """The stand-ins of secret managers without a server to run, in one process."""
    from sandbox.vendors import Vendors

    with Vendors() as vendors:
        yield vendors


@pytest.fixture
def vendors(sandbox_vendors: Any) -> Any:
    """The same, without faults before or after."""
    sandbox_vendors.well()
    yield sandbox_vendors
    sandbox_vendors.well()


@pytest.fixture
def sandbox_cluster(sandbox_cloud: Any) -> Any:
    """A fresh sandbox cluster with the demo's workloads, and what plays the operator in it."""
    from sandbox import world
    from sandbox.kubernetes import Cluster
    from sandbox.reconciler import Reconciler

    with Cluster() as cluster:
        cluster.load(list(world.manifests()))
        reconciler = Reconciler(cluster, sandbox_cloud.url)
        reconciler.start()
        yield cluster
        reconciler.stop()


@pytest.fixture
def make_sandbox_cluster(sandbox_cloud: Any, request: pytest.FixtureRequest) -> Any:
    """Return a function that starts a sandbox cluster of a kind, whose issuer the clouds can reach.

    The Google and Azure stand-ins are there for tests that ask for them themselves.
    """
    import contextlib

    from sandbox import world
    from sandbox.kubernetes import Cluster
    from sandbox.reconciler import Reconciler

    google = request.getfixturevalue("sandbox_google") if "google_endpoint" in request.fixturenames else None
    azure = request.getfixturevalue("sandbox_azure") if "azure_endpoint" in request.fixturenames else None
    with contextlib.ExitStack() as stack:

        def make(kind: str, issuer: str = "") -> Any:
            cluster = stack.enter_context(Cluster(kind=kind, issuer=issuer))
            cluster.load(list(world.manifests(kind)))
            sandbox_cloud.trust(cluster)
            if google is not None:
                gke = cluster.issuer if kind == "gke" else ""
                google.trust(cluster.issuer, cluster.jwks(), gke)
            if azure is not None:
                azure.trust(cluster.issuer, cluster.jwks())
                cluster.azure_url = azure.url
            reconciler = Reconciler(cluster, sandbox_cloud.url, google.url if google else "")
            reconciler.start()
            stack.callback(reconciler.stop)
            return cluster

        yield make


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Any:
    """Tests that commit are cleaned up after by TRUNCATE, which the audit log refuses; its own tests put that back."""
    from django.db import connection

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in ("event", "head", "mark", "key", "digest"):
            cursor.execute(f"ALTER TABLE accounts_audit{table} DISABLE TRIGGER audit_is_not_emptied")
    yield
    # A browser that was just closed may have left a request of the live server at work.
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
