"""Every kind of way in by clicking: a role that a deploy makes, one from a CloudFormation link, a key.json."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.accesses.test_cloudformation import taken_apart
from tests.browser.test_main_job import Walker, kubectl_json

pytestmark = pytest.mark.browser

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def connected(demo) -> dict[str, str]:
    """Remember which clusters are connected by now: the demo is one for all tests here."""
    return {}


class Person(Walker):
    """A person who knows their way: to a cluster, to its settings, through the wizard."""

    def go(self, path: str) -> None:
        self.page.goto(f"{self.demo['address']}/o/acme/{path}")
        self.look()

    def connect(self, connected: dict[str, str], name: str, kind: str) -> None:
        if name in connected:
            return
        self.go("clusters/connect/kubeconfig/")
        self.fill("Kubeconfig", Path(self.demo["kubeconfigs"][kind]).read_text())
        self.click("button", "Test connection")
        self.fill("Name", name)
        self.click("button", "Connect cluster")
        connected[name] = kind

    def connect_eks(self, connected: dict[str, str]) -> str:
        """Connect the EKS cluster, or find it connected already by the main job, and return its name."""
        self.go("clusters/")
        if self.page.get_by_role("link", name="acme-prod").count():
            return "acme-prod"
        self.connect(connected, "prod", "eks")
        return "prod"

    def begin(self, cluster: str, provider: str, method: str) -> None:
        self.go(f"clusters/{cluster}/add-ons/")
        self.click("button", "Add secret manager")
        self.page.get_by_label(provider).check()
        self.click("button", "Continue")
        self.page.locator(".choices label", has=self.page.get_by_text(method, exact=True)).click()
        self.click("button", "Continue")

    def look_dark_and_small(self) -> None:
        """Look once more in the dark, and on a small phone."""
        self.page.emulate_media(color_scheme="dark")
        self.look()
        self.page.emulate_media(color_scheme="light")
        size = self.page.viewport_size
        self.page.set_viewport_size({"width": 320, "height": 700})
        assert self.page.evaluate("document.documentElement.scrollWidth") <= 320, self.page.url
        self.page.set_viewport_size(size)


@pytest.fixture
def person(page, demo) -> Person:
    person = Person(page, demo)
    person.sign_in("devops")
    return person


def deploy(person: Person) -> None:
    person.page.locator("#deploy").click()
    person.page.locator("#deploy-again").wait_for(timeout=90_000)
    person.look()


def test_automatic_from_the_credential_to_the_synced_secret(person, page, demo, connected, kubectl):
    prod = person.connect_eks(connected)

    # Without a credential it is not possible, and the way to make it so is a link.
    person.go(f"clusters/{prod}/add-ons/")
    person.click("button", "Add secret manager")
    person.click("button", "Continue")
    assert page.get_by_role("radio", name="Automatic").is_disabled()
    person.click("link", "Open the settings")
    person.click("link", "Add credential")
    page.locator("[id='kind-aws.static']").check()
    person.click("button", "Continue")
    person.fill("Name", "aws-prod")
    person.fill("Access key ID", demo["keys"]["console"][0])
    person.fill("Secret access key", demo["keys"]["console"][1])
    person.click("button", "Test and save")
    person.look_dark_and_small()
    person.go(f"clusters/{prod}/settings/")
    cloud = page.locator("section", has=page.locator("#cloud-h"))
    cloud.get_by_label("Cloud credential").select_option(index=1)
    person.click("button", "Save cloud")

    # The prefixes are asked for only where they matter.
    person.begin(prod, "AWS Secrets Manager", "Automatic")
    person.look_dark_and_small()
    person.fill("Name", "auto")
    assert not page.locator("#id_prefixes").is_visible()
    page.get_by_label("Secrets whose names begin with").check()
    page.locator("#id_prefixes").fill("prod/db-")
    person.click("button", "Test access")
    assert page.get_by_text("The first deploy will tell").is_visible()
    person.look_dark_and_small()
    person.click("button", "Add auto")

    # Before there is an identity, names are typed.
    person.click("link", "Browse secrets")
    page.get_by_label("Name or ARN").fill("prod/db-password")
    person.click("button", "Link this secret")
    place = page.locator("#id_place option", has_text="api").get_attribute("value")
    page.locator("#id_place").select_option(place)
    page.locator("#id_variable").fill("AUTO_PASSWORD")
    page.locator("#link-button").click()
    page.locator("#review").click()
    page.get_by_text("to change, ").wait_for(timeout=20_000)
    page.locator("summary", has_text="IAM role").click()
    assert page.get_by_text(f"secretsmanager:eu-west-3:{ACCOUNT}:secret:prod/db-*").first.is_visible()
    assert page.get_by_text("system:serviceaccount:external-secrets:").first.is_visible()
    person.look_dark_and_small()
    deploy(person)

    assert page.get_by_text("9 of 9 steps done").is_visible()
    person.go(f"clusters/{prod}/secret-managers/auto/")
    assert page.get_by_text("Verified", exact=True).first.is_visible()
    assert page.get_by_text(f"arn:aws:iam::{ACCOUNT}:role/keyhaven-auto-").first.is_visible()
    person.look_dark_and_small()
    person.go(f"clusters/{prod}/secret-managers/auto/usage/")
    assert page.get_by_text("AUTO_PASSWORD").is_visible()
    person.look_dark_and_small()
    person.go(f"clusters/{prod}/secret-managers/auto/move/")
    person.look_dark_and_small()
    person.go(f"clusters/{prod}/secret-managers/auto/delete/")
    person.go("credentials/")
    person.look_dark_and_small()
    external = kubectl_json(kubectl, demo, "get", "externalsecrets", "-n", "shop")
    assert len(external["items"]) >= 1
    assert {one["status"]["conditions"][0]["status"] for one in external["items"]} == {"True"}


def published(demo: dict[str, Any], project: Path) -> None:
    """Publish the template as an administrator does, with their own keys and this console's database."""
    key, secret = demo["keys"]["administrator"]
    keys = json.loads((Path(demo["logs"]).parent / "keys.json").read_text())
    environment = os.environ | keys | {
        "DJANGO_SETTINGS_MODULE": "config.settings", "BASE_URL": demo["address"],
        "DATABASE_URL": demo["database_url"], "REDIS_URL": demo["redis_url"], "AWS_ENDPOINT_URL": demo["aws_url"],
        "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
    }  # fmt: skip
    command = [sys.executable, "manage.py", "publish_template", "--bucket", "keyhaven-ways-in", "--region"]
    subprocess.run([*command, "eu-west-3", "--create-bucket"], cwd=project, env=environment, check=True)


def created(demo: dict[str, Any], link: str) -> str:
    """Create the stack of a quick-create link and return the role that is among its outputs."""
    import boto3

    asked = taken_apart(link)
    given = asked.parameters
    # The demo's first deploy has made the provider, or nothing has yet.
    key, secret = demo["keys"]["administrator"]
    stated = {"region_name": "eu-west-3", "aws_access_key_id": key, "aws_secret_access_key": secret}
    client = boto3.client("iam", endpoint_url=demo["aws_url"], **stated)
    known = client.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    host = given["OIDCProviderURL"].removeprefix("https://")
    given["CreateOIDCProvider"] = "no" if any(host in one["Arn"] for one in known) else "yes"
    stacks = boto3.client("cloudformation", endpoint_url=demo["aws_url"], **stated)
    stacks.create_stack(
        StackName=asked.stack,
        TemplateURL=asked.template,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": name, "ParameterValue": text} for name, text in given.items()],
    )
    (stack,) = stacks.describe_stacks(StackName=asked.stack)["Stacks"]
    return str({one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}["RoleARN"])


def test_from_the_link_of_the_page_to_a_verified_access(person, page, demo, connected, project):
    """A cluster of no cloud has an issuer of its own, which its role trusts."""
    published(demo, project)
    person.connect(connected, "onprem", "plain")
    person.begin("onprem", "AWS Secrets Manager", "Workload identity federation")
    person.look_dark_and_small()
    link = page.get_by_role("link", name=re.compile("CloudFormation stack")).get_attribute("href")

    page.get_by_label("Region").fill("eu-west-3")
    person.fill("Name", "stack")
    person.fill("Role ARN", f"arn:aws:iam::{ACCOUNT}:role/somewhere")
    person.click("button", "Test access")
    assert page.title().startswith("Error: ")
    assert page.evaluate("document.activeElement.id") == "id_role_arn"
    assert not page.get_by_role("link", name=re.compile("CloudFormation stack")).is_visible(), "folded by now"
    person.fill("Role ARN", created(demo, link))
    person.click("button", "Test access")

    assert page.get_by_text("The access works").is_visible()
    person.look_dark_and_small()
    person.click("button", "Add stack")
    assert page.get_by_text("Verified", exact=True).first.is_visible()


def test_a_key_json_of_another_project_is_said_and_then_corrected(person, page, demo, connected):
    person.connect(connected, "onprem", "plain")
    person.begin("onprem", "GCP Secret Manager", "Service account key")
    person.look_dark_and_small()
    private = json.loads(Path(demo["google_key"]).read_text())["private_key"]

    person.fill("Name", "gcp")
    page.get_by_label("Project ID").fill("other-project")
    page.locator("input[type=file]").set_input_files(demo["google_key"])
    person.click("button", "Test access")
    assert page.get_by_text("The key is of the project acme-secrets").first.is_visible()
    assert page.get_by_text("is stored. Choose a file only to replace it.").is_visible()
    assert page.evaluate("document.activeElement.id") == "id_project"

    page.get_by_label("Project ID").fill("acme-secrets")
    person.click("button", "Test access")
    assert page.get_by_text("reader@acme-secrets.iam.gserviceaccount.com").first.is_visible()
    person.look_dark_and_small()
    person.click("button", "Add gcp")
    assert page.get_by_text("Verified", exact=True).first.is_visible()
    assert not any(private[40:80] in seen for seen in person.seen)


def test_the_policy_for_prefixes_is_told_and_kept_in_the_address(person, page, demo, connected):
    prod = person.connect_eks(connected)
    person.go(f"clusters/{prod}/secret-managers/policy/")
    person.look_dark_and_small()

    page.locator("#id_account").fill(ACCOUNT)
    page.locator("#id_prefixes").fill("prod/shop/")
    page.locator("#id_kms").fill("alias/mine")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#id_kms:focus").wait_for()
    assert page.get_by_text("is an alias").is_visible()
    assert page.title().startswith("Error: ")
    page.locator("#id_kms").fill("")
    page.locator("#show-policy").click()
    page.get_by_text(f"{ACCOUNT}:secret:prod/shop/*").first.wait_for()

    page.reload()
    person.look_dark_and_small()
    assert page.locator("#id_prefixes").input_value() == "prod/shop/"
    with page.expect_download() as downloading:
        page.get_by_role("link", name="keyhaven-aws-secrets-manager-policy.json").click()
    assert "prod/shop/*" in downloading.value.path().read_text()
