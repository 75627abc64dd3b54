"""From the page's quick-create link to a verified access: published, clicked, created, pasted, saved."""

import html
import re
import uuid
from typing import Any

import pytest

from accesses.models import Access, AccessDraft
from clusters import kubeconfig
from clusters import services as clusters
from sandbox import world
from tests import factories
from tests.accesses.test_cloudformation import aws, create, publish, taken_apart

__all__ = ["aws"]
pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]


@pytest.fixture
def cluster(organization, make_sandbox_cluster, aws_endpoint) -> Any:
    kube = make_sandbox_cluster("eks")
    made = factories.make_cluster(
        organization=organization, name="prod", account=world.ACCOUNT,
        kubeconfig=kubeconfig.reduce(kube.kubeconfig()),
    )  # fmt: skip
    clusters.check(made)
    clusters.refresh_services(made)
    return made


def link_of(page: str) -> str:
    found = re.search(r'href="(https://[^"]*quickcreate[^"]*)"', page)
    assert found
    return html.unescape(found[1])


@pytest.mark.parametrize("provider", ["aws-secrets-manager", "aws-parameter-store"])
def test_what_the_stack_puts_out_is_pasted_and_the_access_is_verified(
    aws, cluster, devops, sign_in, provider
):
    publish(bucket=f"templates-{uuid.uuid4().hex[:8]}", create_bucket=True)
    browser = sign_in(devops)
    browser.post("/o/acme/clusters/prod/secret-managers/new/")
    draft = AccessDraft.objects.get()
    at = f"/o/acme/clusters/prod/secret-managers/new/{draft.pk}"
    browser.post(f"{at}/provider/", {"provider": provider})
    browser.post(f"{at}/authentication/", {"method": "role"})

    link = taken_apart(link_of(browser.get(f"{at}/details/").content.decode()))
    # The account has not seen this cluster yet: the template makes the provider when it is asked to.
    link.parameters["CreateOIDCProvider"] = "yes"
    stack = create(aws, link.parameters, region=link.region, stack=link.stack, TemplateURL=link.template)
    pasted = {"name": "aws", "region": "eu-west-3", "role_arn": f" {stack.arn} ", "namespaces": ["shop"]}
    tested = browser.post(f"{at}/details/", pasted)
    shown = browser.get(f"{at}/test/").content.decode()
    token = re.search(r'name="shown" value="([^"]+)"', shown)
    assert token
    browser.post(f"{at}/test/", {"wish": "save", "shown": token[1]})

    access = Access.objects.get()
    assert tested.status_code == 302
    assert link.parameters["ServiceAccount"] == draft.service_account == access.service_account
    assert "The access works" in shown
    assert "assumed-role" in shown
    assert access.verified_at
    assert access.configuration["role_arn"] == stack.arn


def test_before_the_provider_is_there_the_page_says_what_to_choose(aws, cluster, devops, sign_in):
    browser = sign_in(devops)
    browser.post("/o/acme/clusters/prod/secret-managers/new/")
    draft = AccessDraft.objects.get()
    at = f"/o/acme/clusters/prod/secret-managers/new/{draft.pk}"
    browser.post(f"{at}/provider/", {"provider": "aws-secrets-manager"})
    browser.post(f"{at}/authentication/", {"method": "role"})
    arn = f"arn:aws:iam::{world.ACCOUNT}:role/somewhere"

    answer = browser.post(
        f"{at}/details/", {"name": "aws", "region": "eu-west-3", "role_arn": arn, "namespaces": ["shop"]}
    )

    assert answer.status_code == 422
    assert "CreateOIDCProvider=yes" in answer.content.decode()
