"""Cloud credentials by clicking: one that finds a cluster, one that is rotated, and the end of both."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.test_main_job import PASSWORD, kubectl_json
from tests.browser.test_ways_in import Person, deploy

pytestmark = pytest.mark.browser

# Names that no other test of a browser uses.
CLUSTER, ROLE, KEY, SPARE, ACCESS = "found", "aws-by-role", "aws-by-key", "aws-spare", "by-key"
PLACE = "eu-west-3"


class Keeper(Person):
    """A person who keeps the credentials of the organization."""

    kubectl = ""

    def add(self, kind: str, name: str, values: dict[str, str]) -> None:
        """Choose a kind and enter what it asks for."""
        self.go("credentials/new/")
        self.page.locator(f"input[name=kind][value='{kind}']").check()
        self.click("button", "Continue")
        self.look_dark_and_small()
        self.fill("Name", name)
        for label, text in values.items():
            self.fill(label, text)
        self.click("button", "Test and save")
        assert self.page.get_by_role("heading", name=name, level=1).is_visible()
        self.look_dark_and_small()

    def delete(self, name: str) -> None:
        self.go(f"credentials/{name}/delete/")
        self.look_dark_and_small()
        self.page.locator("main input[name=name]").fill(name)
        self.page.locator("main button.danger").click()
        self.page.wait_for_url(re.compile("/credentials/$"))

    def in_cluster(self, *what: str) -> Any:
        return kubectl_json(self.kubectl, self.demo, "get", *what)

    def keys_in_cluster(self) -> set[str]:
        """Return the IDs of the access keys that stores in the cluster sign in with."""
        found = set()
        for one in self.in_cluster("secrets", "-A")["items"]:
            values = (base64.b64decode(text).decode() for text in one.get("data", {}).values())
            found |= {text for text in values if re.fullmatch("AKIA[A-Z0-9]{16}", text)}
        return found


@pytest.fixture
def keeper(page, demo, kubectl) -> Keeper:
    keeper = Keeper(page, demo)
    keeper.kubectl = kubectl
    keeper.sign_in("owner")
    return keeper


@pytest.fixture
def iam(demo) -> Any:
    """IAM, asked by an administrator of the account."""
    import boto3

    key, secret = demo["keys"]["administrator"]
    return boto3.client(
        "iam", endpoint_url=demo["aws_url"], region_name=PLACE, aws_access_key_id=key, aws_secret_access_key=secret
    )  # fmt: skip


@pytest.fixture
def user(iam) -> Iterator[dict[str, str]]:
    """A user who reads secrets and may replace the keys of its own; yields its first key."""
    name = "rotated"
    own = ["iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:DeleteAccessKey", "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed"]  # fmt: skip
    allowed = {"Effect": "Allow", "Action": ["secretsmanager:*", *own], "Resource": "*"}
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name, PolicyName="all", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    )  # fmt: skip
    made = iam.create_access_key(UserName=name)["AccessKey"]
    yield {"name": name, "id": made["AccessKeyId"], "secret": made["SecretAccessKey"]}
    for key in keys_of(iam, name):
        iam.delete_access_key(UserName=name, AccessKeyId=key)
    iam.delete_user_policy(UserName=name, PolicyName="all")
    iam.delete_user(UserName=name)


def keys_of(iam: Any, name: str) -> dict[str, str]:
    """Return the keys of a user by ID, each with its status, as AWS has them."""
    listed = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    return {one["AccessKeyId"]: one["Status"] for one in listed}


def connect_by_role(keeper: Keeper) -> None:
    """Add a role, find the EKS cluster with it, and connect that."""
    page = keeper.page
    keeper.go("credentials/new/?kind=aws.role")
    keeper.fill("Role ARN", "arn:aws:iam::123456789012:role/nobody")
    keeper.click("button", "Test and save")
    assert page.title().startswith("Error: ")
    assert page.get_by_label("Role ARN").input_value().endswith("role/nobody")
    keeper.look_dark_and_small()
    keeper.add("aws.role", ROLE, {"Role ARN": keeper.demo["role"]})

    keeper.go("clusters/connect/")
    keeper.look_dark_and_small()
    keeper.click("button", "Continue")
    page.locator(".choices label", has=page.get_by_text(ROLE, exact=True)).click()
    keeper.look_dark_and_small()
    keeper.click("button", "Find clusters")
    page.get_by_label("Region").select_option(PLACE)
    keeper.click("button", "Look there")
    keeper.look_dark_and_small()
    keeper.click("button", "Choose prod")
    keeper.look_dark_and_small()
    keeper.fill("Name", CLUSTER)
    keeper.click("button", "Connect cluster")
    # The cluster itself says who signed in.
    assert page.get_by_text("assumed-role/keyhaven-console/").first.is_visible()
    keeper.look_dark_and_small()


def see_health(keeper: Keeper) -> None:
    page = keeper.page
    keeper.go(f"clusters/{CLUSTER}/health/")
    keeper.click("button", "Look now")
    now = page.locator("section[aria-labelledby=now-h]")
    now.get_by_text("2 of 2 nodes ready").wait_for()
    assert now.get_by_text("Ready", exact=True).is_visible()
    assert now.get_by_text(f"{ROLE} works.").is_visible()
    keeper.look_dark_and_small()
    for path in ("secrets/", "settings/", "danger/"):
        keeper.go(f"clusters/{CLUSTER}/{path}")
        keeper.look_dark_and_small()
        # Where not all tabs fit, the open one is in sight.
        page.set_viewport_size({"width": 360, "height": 700})
        page.reload()
        assert page.locator(".tabs [aria-current]").evaluate(
            "tab => tab.getBoundingClientRect().right <= tab.parentElement.getBoundingClientRect().right + 1"
        )
        page.set_viewport_size({"width": 1280, "height": 900})


def use_key(keeper: Keeper, user: dict[str, str]) -> None:
    """Add a key, give it to an access of the cluster, and deploy that."""
    page = keeper.page
    keeper.add("aws.static", KEY, {"Access key ID": user["id"], "Secret access key": user["secret"]})
    keeper.begin(CLUSTER, "AWS Secrets Manager", "Access key")
    keeper.fill("Name", ACCESS)
    keeper.fill("Region", PLACE)
    option = page.locator("select[name=cloud_credential] option", has_text=KEY)
    page.locator("select[name=cloud_credential]").select_option(option.get_attribute("value"))
    keeper.click("button", "Test access")
    keeper.click("button", f"Add {ACCESS}")
    keeper.go(f"clusters/{CLUSTER}/changes/")
    page.locator("#look-again").click()
    page.get_by_text(re.compile("Looked .* to change, ")).wait_for(timeout=30_000)
    deploy(keeper)
    assert keeper.keys_in_cluster() == {user["id"]}


def rotate(keeper: Keeper, user: dict[str, str], iam: Any) -> None:
    """Let the console make the next key, deploy it, and end the old one."""
    page = keeper.page
    keeper.go(f"credentials/{KEY}/")
    keeper.click("link", "Rotate…")
    keeper.look_dark_and_small()
    keeper.click("button", "Make the key")
    page.locator("#deploy-all").wait_for(timeout=60_000)
    assert len(keys_of(iam, user["name"])) == 2
    keeper.look_dark_and_small()
    page.locator("#deploy-all").click()
    page.locator("#disable").wait_for(timeout=90_000)
    (new,) = keys_of(iam, user["name"]).keys() - {user["id"]}
    assert keeper.keys_in_cluster() == {new}
    keeper.look_dark_and_small()
    page.locator("#disable").click()
    page.locator("#delete").wait_for()
    assert keys_of(iam, user["name"]) == {user["id"]: "Inactive", new: "Active"}
    keeper.look_dark_and_small()
    # AWS tells of uses some minutes late, which has to be overridden knowingly.
    page.locator("form:has(#delete) input[name=name]").fill(KEY)
    page.locator("#delete").click()
    page.locator("input[name=override]:focus, [data-error-summary]").first.wait_for()
    assert page.title().startswith("Error: ")
    page.locator("input[name=override]").check()
    page.locator("form:has(#delete) input[name=name]").fill(KEY)
    page.locator("#delete").click()
    page.get_by_text("Done", exact=True).first.wait_for()
    keeper.look_dark_and_small()
    assert keys_of(iam, user["name"]) == {new: "Active"}


def see_usage(keeper: Keeper) -> None:
    """Open the dialog of who uses it, with the keyboard's way out, and the same as a page."""
    page = keeper.page
    keeper.go("credentials/")
    keeper.look_dark_and_small()
    opener = page.get_by_role("row").filter(has_text=KEY).get_by_role("link", name="View associated clusters")
    opener.click()
    dialog = page.locator("dialog#usage")
    dialog.get_by_text("its store signs in with it").wait_for()
    keeper.look_dark_and_small()
    page.set_viewport_size({"width": 360, "height": 700})
    assert dialog.get_by_role("button", name="Close").is_visible()
    assert dialog.get_by_role("button", name="Close").bounding_box()["x"] < 330
    page.set_viewport_size({"width": 1280, "height": 900})
    page.keyboard.press("Escape")
    assert opener.evaluate("link => link === document.activeElement")
    keeper.go(f"credentials/{KEY}/delete/")
    assert page.get_by_text("It cannot be deleted while it is used").is_visible()
    assert page.locator("main button.danger").count() == 0
    keeper.look_dark_and_small()


def leave(keeper: Keeper) -> None:
    """Remove what was made in the cluster, and disconnect it."""
    page = keeper.page
    keeper.go(f"clusters/{CLUSTER}/danger/")
    keeper.look_dark_and_small()
    page.locator(".choices label", has=page.get_by_text("Remove it first", exact=True)).click()
    keeper.fill("Type the cluster's name", CLUSTER)
    page.locator("main button.danger").click()
    page.wait_for_url(re.compile(r"/deploys/\d+/"))
    keeper.look()
    page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=90_000)
    assert keeper.in_cluster("clustersecretstores")["items"] == []
    assert keeper.keys_in_cluster() == set()

    keeper.go(f"clusters/{CLUSTER}/danger/")
    assert page.get_by_text("Nothing that Keyhaven made is left").is_visible()
    keeper.look_dark_and_small()
    keeper.fill("Type the cluster's name", CLUSTER)
    page.locator("main button.danger").click()
    page.wait_for_url(re.compile("/clusters/$"))
    assert page.get_by_role("link", name=CLUSTER, exact=True).count() == 0


def test_credentials_from_the_first_to_the_last(keeper, page, demo, user, iam):
    connect_by_role(keeper)
    see_health(keeper)
    use_key(keeper, user)
    rotate(keeper, user, iam)
    see_usage(keeper)

    keeper.add("aws.role", SPARE, {"Role ARN": demo["role"]})
    keeper.delete(SPARE)
    assert page.get_by_role("link", name=SPARE, exact=True).count() == 0

    leave(keeper)
    for name in (KEY, ROLE):
        keeper.delete(name)
    assert page.get_by_role("heading", name="No credentials yet").is_visible()
    assert not any(user["secret"] in seen for seen in keeper.seen)


def test_a_credential_is_added_and_found_without_javascript(keeper, page, demo):
    plain = page.context.browser.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{demo['address']}/accounts/login/?next=/o/acme/credentials/new/")
    plain.locator("input[name=login]").fill("owner@example.com")
    plain.locator("input[name=password]").fill(PASSWORD)
    plain.get_by_role("button", name="Sign in").click()
    plain.get_by_role("button", name="Continue").click()
    plain.get_by_label("Name", exact=True).fill(SPARE)
    plain.get_by_label("Role ARN").fill(demo["role"])
    plain.get_by_role("button", name="Test and save").click()

    plain.goto(f"{demo['address']}/o/acme/credentials/")
    plain.locator("#q").fill("spare")
    plain.get_by_role("button", name="Filter").click()
    plain.get_by_role("link", name=SPARE, exact=True).click()

    assert plain.get_by_role("heading", name=SPARE, level=1).is_visible()
    keeper.delete(SPARE)
