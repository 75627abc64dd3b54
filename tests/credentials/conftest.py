"""Credentials that AWS, as far as the tests have it, knows or refuses."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from credentials import issuer, services
from credentials.clouds.aws import console, role
from credentials.models import CloudCredential
from tests import factories
from tests.credentials import contract


@pytest.fixture
def keys(sandbox_cloud: Any, aws_endpoint: str) -> Any:
    """Return a function from an IAM user's name to its keys, as a credential's secret."""

    def of(user: str = "reader") -> dict[str, str]:
        key_id, secret = sandbox_cloud.keys[user]
        return {"access_key_id": key_id, "secret_access_key": secret}

    return of


@pytest.fixture
def credential(organization: Any, admin: Any, keys: Any) -> CloudCredential:
    """A credential that works, of the IAM user `reader`."""
    return services.create(
        organization=organization,
        name="aws-prod",
        cloud="aws",
        method="static",
        secret=keys(),
        given={"partition": "aws"},
        by=admin,
    )


@pytest.fixture
def elsewhere(organization: Any, keys: Any) -> CloudCredential:
    """A credential whose facts are of another account than the keys that the tests have."""
    facts = factories.aws_facts("210987654321")
    return factories.make_cloud_credential(
        organization=organization, name="aws-other", facts=facts, secret=keys()
    )


@pytest.fixture
def own_identity(sandbox_cloud: Any, aws_endpoint: str, settings: Any) -> Iterator[str]:
    """The console has an identity of its own at AWS, in another account than the roles are in; its ARN."""
    key_id, secret = sandbox_cloud.keys["keyhaven"]
    settings.CONSOLE_AWS_ACCESS_KEY_ID, settings.CONSOLE_AWS_SECRET_ACCESS_KEY = key_id, secret
    console.forget()
    role.kept.clear()
    yield "arn:aws:iam::210987654321:user/keyhaven"
    console.forget()
    role.kept.clear()


@pytest.fixture
def role_name() -> str:
    """A name that no other test has."""
    return f"keyhaven-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def console_role(own_identity: str, sandbox_cloud: Any, organization: Any, role_name: str) -> str:
    """The ARN of a role that lets the console in for the organization."""
    return str(sandbox_cloud.console_role(role_name, issuer.subject(organization)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    contract.parametrize(metafunc)
