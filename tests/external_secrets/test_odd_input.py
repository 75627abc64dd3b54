"""What nobody means to send: each gets an answer in its place, and what was typed is not lost."""

import pytest

from external_secrets.models import ExternalSecret
from tests import factories

pytestmark = pytest.mark.django_db

LONG = "x" * 3000
ARN = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:prod/db-AbCdEf"
NUL = "a\x00b"
TEXTS = (NUL, LONG, "name#" + LONG, "name#a#b", "#", "a#", "name#a..b", "name#.a", "name#a\tb", "arn:", "arn:aws",
         "arn:aws:secretsmanager:eu-west-3:12:secret:x-AbCdEf", "arn:aws:ssm:eu-west-3:123456789012:parameter/x",
         "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:x-AbCdEf", "https://", "https://[", "http://[::1",
         "//secretmanager.googleapis.com/projects/", "\ud7ff\U0001f511", "../../etc", "'; drop table", "<b>&amp;")  # fmt: skip


@pytest.fixture
def client(sign_in, devops):
    made = sign_in(devops)
    made.raise_request_exception = True
    return made


PROVIDERS = ("aws-secrets-manager", "aws-parameter-store", "gcp-secret-manager")


@pytest.fixture
def any_access(request, cluster, manager, fill):
    provider = PROVIDERS[request.node.callspec.params["number"] // 2 % 3]
    more = {"method": "key", "configuration": {"project": "acme"}} if "gcp" in provider else {}
    made = factories.make_access(cluster=cluster, name="any", provider=provider, namespaces=["shop"], **more)
    fill("x", of=made)
    return made


def part(headers):
    return {"HX-Request": "true"} if headers else {}


FIELDS = ("key", "json_field", "variable", "path", "below", "tags", "version", "role_arn", "takes", "target", "mount",
          "file_mode", "refresh_seconds", "place", "namespace")  # fmt: skip
PARAMETERS = ("access", "key", "service", "alias_of", "link", "q", "pick", "namespace", "after", "cursor", "name",
              "json_field", "tag", "then", "takes", "preview")  # fmt: skip


@pytest.mark.parametrize("number", range(len(TEXTS)))
class TestEveryField:
    def test_of_a_link(self, client, url, any_access, service, number):
        fields = {"access": any_access.pk, "place": f"{service.pk}:web", "variable": "X", "key": "x"}
        # Each text meets some of the fields with this provider; together they meet all of them.
        for name in ("key", *FIELDS[number % 3 :: 3]):
            more = {"takes": "path", "below": "/a"} if name in ("takes", "below") else {}
            response = client.post(
                url("link"), fields | more | {name: TEXTS[number]}, headers=part(number % 2)
            )

            assert response.status_code in (200, 302, 422), name
            ExternalSecret.objects.all().delete()

    def test_of_an_address(self, client, url, any_access, number):
        for name in PARAMETERS[number % 4 :: 4]:
            asked = {"access": str(any_access.pk), "name": "x", "key": "x"} | {name: [TEXTS[number]] * 2}
            for page in ("link", "bulk", "browse", "secret"):
                response = client.get(url(page), asked, headers=part(number % 2))

                assert response.status_code in (200, 302, 404), (page, name)

    def test_of_a_list(self, client, url, any_access, service, number):
        text = TEXTS[number]
        fields = {"access": any_access.pk, "place": f"{service.pk}:web"}
        for lines in (text, f"A={text}\r\nB='{text}'", f"{text}=a"):
            response = client.post(url("bulk"), fields | {"lines": lines}, headers=part(number % 2))

            assert response.status_code in (200, 302, 422), lines[:40]
            ExternalSecret.objects.all().delete()


def test_what_windows_writes_first_is_no_part_of_a_name(client, url, access, service, fill):
    fill("prod/db")

    client.post(
        url("bulk"),
        {"access": access.pk, "place": f"{service.pk}:web", "lines": "\ufeffDB=prod/db\r\nTWO=prod/db#a\r\n"},
    )

    assert set(ExternalSecret.objects.values_list("variable", flat=True)) == {"DB", "TWO"}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("prod/db#" + "a" * 301, "301 characters"),
        ("prod/db#a..b", "a dot with nothing beside it"),
        ("prod/db#a.", "a dot with nothing beside it"),
        ("https://[", "names no secret"),
        (f"{ARN}::{'S' * 101}:", "staging label"),
        (f"{ARN}::AWSCURRENT:{'a' * 36}", "not both"),
        (ARN.replace("arn:aws:", "arn:" + "a" * 2100 + ":"), "partition"),
        (ARN.replace("arn:aws:", "arn:aws-cn:"), "partition"),
    ],
)
def test_a_short_form_is_as_strict_as_the_fields(client, url, access, service, fill, typed, words):
    fill("prod/db")
    fields = {"access": access.pk, "place": f"{service.pk}:web", "variable": "X", "key": typed}

    one = client.post(url("link"), fields)
    many = client.post(url("bulk"), fields | {"lines": f"X={typed}"})

    assert words in " ".join(text for texts in one.context["form"].errors.values() for text in texts)
    assert words in " ".join(many.context["form"].errors["lines"])
    assert not ExternalSecret.objects.exists()


def test_a_name_with_a_null_is_an_error_of_its_field(client, url, access, service, fill):
    fill("prod/db")
    fields = {"access": access.pk, "place": f"{service.pk}:web", "variable": "X", "key": NUL}

    response = client.post(url("link"), fields)

    assert response.status_code == 422
    assert "key" in response.context["form"].errors
