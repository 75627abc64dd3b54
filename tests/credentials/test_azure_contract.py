"""Azure's kinds of credentials keep to the contract."""

from typing import Any

import pytest

from credentials import issuer
from tests.credentials import contract

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db, pytest.mark.usefixtures("azure_endpoint")]

NOBODY = "11111111-2222-3333-4444-555555555555"
# What is wrong with an ID is said in the same way for all three, and the same is told of a wrong one by Azure.
IDS = (
    contract.Wrong("no tenant", {"tenant": ""}, "Enter the tenant ID."),
    contract.Wrong("a domain", {"tenant": "acme.onmicrosoft.com"}, "This is a domain. The tenant ID is 36 characters"),
    contract.Wrong("a name", {"client": "keyhaven console"}, "A client ID has digits, the letters a to f and hyphens only"),
    contract.Wrong("cut off", {"subscription": lambda good: good[:-2]}, "This subscription ID has 34 characters; it needs 36"),
    contract.Wrong("hyphens", {"client": lambda good: good.replace("-", "") + "-" * 4}, "The hyphens of a client ID stand as in"),
    contract.Wrong("twice the same", {"client": lambda _: NOBODY, "tenant": NOBODY}, "This is what stands under Tenant ID."),
    contract.Wrong("no such cloud", {"environment": "AzureMoon"}, "Select a valid choice."),
    contract.Wrong("another tenant", {"tenant": NOBODY}, "Entra knows no tenant with this ID"),
    contract.Wrong("another client", {"client": NOBODY}, "Entra knows no application with this client ID in this tenant."),
    contract.Wrong("another subscription", {"subscription": NOBODY}, "Azure has no such subscription in this tenant"),
)  # fmt: skip


def values(azure: Any, app: str) -> dict[str, str]:
    known = azure.apps[app]
    return {name: known[name] for name in ("tenant", "client", "subscription")} | {
        "environment": "AzureCloud"
    }


class TestFederation(contract.Contract):
    kind = "azure.federation"
    identity = ("Acme production", "Client ID", "Tenant ID", "Service principal's object ID")
    wrong = IDS

    @pytest.fixture
    def good(self, sandbox_azure: Any, organization: Any) -> Any:
        client = sandbox_azure.apps["console"]["client"]
        sandbox_azure.trust(issuer.address(), issuer.keys())
        sandbox_azure.federate("console", issuer.address(), issuer.subject(organization))
        yield values(sandbox_azure, "console")
        sandbox_azure.plant("unfederated", client=client)


class TestServicePrincipal(contract.Contract):
    kind = "azure.service-principal"
    identity = ("Acme production", "Client ID", "Tenant ID", "Service principal's object ID")
    wrong = (
        *IDS,
        contract.Wrong("no secret", {"client_secret": ""}, "Enter the client secret."),
        contract.Wrong("the secret's ID", {"client_secret": NOBODY}, "This is the secret's ID. Enter its value"),
        contract.Wrong("a space", {"client_secret": lambda good: f"{good} x"}, "that no client secret has."),
        contract.Wrong("half of it", {"client_secret": lambda good: good[:9]}, "about 40 characters; this has 9."),
        contract.Wrong("another secret", {"client_secret": lambda good: good[::-1]}, "does not accept this client secret."),
    )  # fmt: skip

    @pytest.fixture
    def good(self, sandbox_azure: Any) -> dict[str, str]:
        secret = {"client_secret": sandbox_azure.apps["console"]["client_secret"]}
        return values(sandbox_azure, "console") | secret


class TestForm:
    @pytest.fixture
    def browser(self, sign_in: Any, devops: Any) -> Any:
        return sign_in(devops)

    def test_capital_letters_and_spaces_around_an_id_are_taken(self, browser, sandbox_azure):
        from credentials.models import CloudCredential

        known = sandbox_azure.apps["console"]
        sent = values(sandbox_azure, "console") | {
            "client_secret": known["client_secret"],
            "name": "azure-prod",
        }
        sent |= {"tenant": f"  {known['tenant'].upper()} "}

        browser.post("/o/acme/credentials/new/?kind=azure.service-principal", sent)

        assert CloudCredential.objects.get().facts["tenant"] == known["tenant"]

    def test_the_steps_have_this_organizations_trust(self, browser, organization):
        page = browser.get("/o/acme/credentials/new/?kind=azure.federation").content.decode()

        assert issuer.subject(organization) in page
        assert "api://AzureADTokenExchange" in page
        assert "create_credentials_azure.sh" in page
