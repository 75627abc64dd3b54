"""Credentials that AWS, as far as the tests have it, knows or refuses."""

from typing import Any

import pytest

from credentials import services
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    contract.parametrize(metafunc)
