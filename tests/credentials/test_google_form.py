"""A key.json as a credential: pasted or uploaded, tried, and never sent back."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from credentials import clouds, services
from credentials.clouds import errors
from credentials.models import CloudCredential

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

NEW = "/o/acme/credentials/new/?kind=gcp.key"
ONE = "/o/acme/credentials/gcp-prod/"


@pytest.fixture(scope="module")
def google() -> Any:
    from sandbox.google import Google

    with Google(count=1) as running:
        yield running


@pytest.fixture(autouse=True)
def endpoint(google: Any, settings: Any) -> None:
    settings.GOOGLE_ENDPOINT_URL = google.url


@pytest.fixture
def browser(sign_in, devops) -> Any:
    return sign_in(devops)


@pytest.fixture
def stripped(google: Any) -> Any:
    """The service account `limited` without any role."""
    from credentials.clouds import google as cloud

    admin = cloud.Api(cloud.by_key(cloud.parse_key(google.keys["admin"])))
    path = f"v1/projects/{google.project}"

    def put(policy: dict[str, Any]) -> None:
        admin.call("POST", "cloudresourcemanager", f"{path}:setIamPolicy", "", {"policy": policy})

    before = admin.call("POST", "cloudresourcemanager", f"{path}:getIamPolicy", "", {})
    member = f"serviceAccount:{json.loads(google.keys['limited'])['client_email']}"
    kept = [one for one in before["bindings"] if member not in one["members"]]
    put(before | {"bindings": kept})
    yield
    etag = admin.call("POST", "cloudresourcemanager", f"{path}:getIamPolicy", "", {}).get("etag", "")
    put(before | {"etag": etag})


def error(response):
    return {name: messages[0] for name, messages in response.context["form"].errors.items()}


def upload(text):
    return SimpleUploadedFile("key.json", text.encode(), "application/json")


class TestNew:
    @pytest.mark.parametrize("way", ["pasted", "uploaded"])
    def test_a_key_is_tried_and_its_identity_shown(self, browser, google, way):
        key = google.keys["reader"]
        sent = {"key": key} if way == "pasted" else {"key": "", "file": upload(key)}

        done = browser.post(NEW, {"name": "gcp-prod", **sent})
        page = browser.get(done.headers["Location"]).content.decode()

        facts = json.loads(key)
        stored = CloudCredential.objects.get()
        assert (stored.identity, stored.account) == (facts["client_email"], facts["project_id"])
        assert facts["client_email"] in page
        assert facts["private_key_id"] in page
        assert "BEGIN PRIVATE KEY" not in page
        assert "resourcemanager.projects.setIamPolicy" in page

    def test_addresses_in_the_file_are_not_kept(self, browser, google):
        key = json.loads(google.keys["reader"]) | {"token_uri": "https://example.com/steal"}

        browser.post(NEW, {"name": "gcp-prod", "key": json.dumps(key)})

        assert "example.com" not in CloudCredential.objects.get().secret["key"]

    @pytest.mark.parametrize(
        ("sent", "field", "words"),
        [
            ({"key": ""}, "key", "Paste a key.json, or choose its file."),
            ({"key": "not json"}, "key", "This is not JSON."),
            ({"key": '{"type": "authorized_user"}'}, "key", "a person's sign-in"),
            ({"file": "x" * 70_000}, "file", "The file is larger than 64 KB."),
            ({"file": ""}, "file", "The file is empty."),
            ({"file": "[]"}, "key", "not an object"),
        ],
    )
    def test_what_is_no_key_is_told_what_it_is(self, browser, sent, field, words):
        if "file" in sent:
            sent = {"file": upload(sent["file"])}

        response = browser.post(NEW, {"name": "gcp-prod", **sent})

        assert response.status_code == 422
        assert words in error(response)[field]
        assert not CloudCredential.objects.exists()

    def test_a_key_that_google_does_not_know_is_not_stored_or_echoed(self, browser, google):
        key = json.loads(google.keys["reader"]) | {"private_key_id": "0" * 40}

        response = browser.post(NEW, {"name": "gcp-prod", "key": json.dumps(key)})

        assert "Google does not accept this key" in error(response)["__all__"]
        assert "BEGIN PRIVATE KEY" not in response.content.decode()
        assert not CloudCredential.objects.exists()

    def test_a_project_that_it_may_not_see_is_no_failure(self, google, stripped):
        found = clouds.CLOUDS["gcp"].method("key").identify({"key": google.keys["limited"]}, {})

        assert found["email"] == json.loads(google.keys["limited"])["client_email"]

    def test_a_project_that_is_merely_said_in_the_file_is_not_believed(self, google):
        key = json.loads(google.keys["other"]) | {"project_id": google.project}

        with pytest.raises(errors.PermissionMissing, match=r"lacks resourcemanager\.projects\.get"):
            clouds.CLOUDS["gcp"].method("key").identify({"key": json.dumps(key)}, {})

    def test_a_google_that_does_not_answer_is_said(self, google, settings):
        settings.GOOGLE_ENDPOINT_URL = "http://127.0.0.1:9"

        with pytest.raises(errors.NotReachable):
            clouds.CLOUDS["gcp"].method("key").identify({"key": google.keys["reader"]}, {})


class TestEdit:
    @pytest.fixture
    def credential(self, organization, admin, google):
        return services.create(
            organization=organization, name="gcp-prod", cloud="gcp", method="key",
            secret={"key": google.keys["reader"]}, given={}, by=admin,
        )  # fmt: skip

    def test_blank_keeps_the_key(self, browser, credential, google):
        page = browser.get(f"{ONE}edit/").content.decode()

        done = browser.post(f"{ONE}edit/", {"name": "gcp-main", "seen": 1})

        assert done.status_code == 302
        assert CloudCredential.objects.get().secret == {"key": google.keys["reader"]}
        assert "Replace…" in page
        assert "BEGIN PRIVATE KEY" not in page

    def test_an_uploaded_key_replaces_it(self, browser, credential, google):
        sent = {"name": "gcp-prod", "seen": 1, "file": upload(google.keys["admin"])}

        done = browser.post(f"{ONE}edit/", sent)

        assert done.status_code == 302
        assert CloudCredential.objects.get().identity == json.loads(google.keys["admin"])["client_email"]

    def test_a_key_of_another_project_is_refused_while_it_is_used(
        self, browser, credential, google, organization
    ):
        from tests import factories

        factories.make_cluster(organization=organization, name="prod", kind="gke", credential=credential)

        response = browser.post(f"{ONE}edit/", {"name": "gcp-prod", "seen": 1, "key": google.keys["other"]})

        assert "by the cluster prod" in error(response)["__all__"]
