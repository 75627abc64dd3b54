"""Google's kinds of credentials keep to the contract."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from credentials import issuer
from credentials.clouds.google import federation
from tests.credentials import contract

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db, pytest.mark.usefixtures("google_endpoint")]

EMAIL = "reader@acme-secrets.iam.gserviceaccount.com"
POOL = "projects/123456789012/locations/global/workloadIdentityPools/contract"


def but(**changes: Any) -> Any:
    """Return what changes a key.json."""
    return lambda good: json.dumps(json.loads(good) | changes)


class TestFederation(contract.Contract):
    kind = "gcp.federation"
    identity = ("reader@acme-secrets", "Workload identity provider", "projects/123456789012/locations")
    wrong = (
        contract.Wrong("no project", {"project": ""}, "Enter the project ID."),
        contract.Wrong("no provider", {"provider": ""}, "Enter the workload identity provider."),
        contract.Wrong("a project's name", {"project": "Acme Secrets"}, "This is no project ID:"),
        contract.Wrong("a pool", {"provider": POOL}, "This is a pool without a provider."),
        contract.Wrong("an ID", {"provider": lambda good: good.replace("123456789012", "acme-secrets")}, "number here, not its ID"),
        contract.Wrong("a person", {"email": "ann@example.com"}, "is not the e-mail address of a service account."),
        contract.Wrong("another provider", {"provider": f"{POOL}/providers/other"}, "Google has no such workload identity pool"),
        contract.Wrong("another account", {"email": EMAIL.replace("reader", "admin")}, "this console may not act as it."),
        contract.Wrong("another project", {"project": "acme-other"}, "lacks resourcemanager.projects.get"),
    )  # fmt: skip

    @pytest.fixture
    def good(self, sandbox_google: Any, organization: Any) -> dict[str, str]:
        subject = issuer.subject(organization)
        sandbox_google.trust(issuer.address(), issuer.keys())
        audience = sandbox_google.pool("contract", "console", issuer.address())
        provider = audience.removeprefix("//iam.googleapis.com/")
        member = federation.principal(provider, subject)
        sandbox_google.bind("roles/iam.workloadIdentityUser", member, account=EMAIL)
        return {"project": "acme-secrets", "provider": provider, "email": EMAIL}


class TestKey(contract.Contract):
    kind = "gcp.key"
    identity = ("reader@acme-secrets", "Project", "Key ID")
    wrong = (
        contract.Wrong("nothing", {"key": ""}, "Paste a key.json, or choose its file."),
        contract.Wrong("no JSON", {"key": "key.json"}, "This is not JSON."),
        contract.Wrong("a person's", {"key": but(type="authorized_user")}, "is a person's sign-in"),
        contract.Wrong("half of it", {"key": but(private_key="")}, "The key lacks private_key."),
        contract.Wrong("no e-mail", {"key": but(client_email="a@b.c")}, "The client_email is not the e-mail address"),
        contract.Wrong("a broken key", {"key": but(private_key="-----BEGIN PRIVATE KEY-----\nx\n")}, "The private_key cannot be read."),
        contract.Wrong("too large", {"key": "", "file": SimpleUploadedFile("key.json", b" " * 70_000)}, "larger than 64 KB"),
        contract.Wrong("an unknown key", {"key": but(private_key_id="0" * 40)}, "Google does not accept this key"),
        contract.Wrong("an unknown account", {"key": but(client_email=f"x{EMAIL}")}, "Google knows no such service account"),
    )  # fmt: skip

    @pytest.fixture
    def good(self, sandbox_google: Any) -> dict[str, Any]:
        return {"key": sandbox_google.keys["reader"]}
