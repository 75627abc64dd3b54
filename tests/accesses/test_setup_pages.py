"""What people run in their own cloud, as pages: two public files, and the numbered cards of each method."""

import re
from html.parser import HTMLParser

import pytest
from django.template.loader import render_to_string

from accesses.models import AccessDraft, PublishedTemplate
from accesses.setup import cards, cloudformation, google_script, policies
from credentials.clouds.aws import stacks
from credentials.clouds.azure import script as azure_script
from credentials.clouds.google import script as google_console
from tests import factories

pytestmark = pytest.mark.django_db

ISSUER = "https://oidc.eks.eu-west-3.amazonaws.com/id/0123456789ABCDEF"
FILES = [
    pytest.param(f"/setup/{one.file}", f"{one.kind}; charset=utf-8", one, id=one.file)
    for one in (
        cloudformation.TEMPLATE, stacks.CONSOLE, google_script.SCRIPT, google_console.SCRIPT, azure_script.SCRIPT,
    )
]  # fmt: skip


@pytest.mark.parametrize(("url", "kind", "one"), FILES)
def test_everybody_may_read_the_files_and_caches_may_keep_them(client, url, kind, one):
    answer = client.get(url)

    assert answer.status_code == 200
    assert answer.content.decode() == one.text
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["ETag"] == f'"{one.digest}"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert one.file in answer.headers["Content-Disposition"]
    assert not answer.cookies


@pytest.mark.parametrize(("url", "kind", "one"), FILES)
def test_who_has_a_file_is_not_sent_it_again_and_nobody_changes_it(client, url, kind, one):
    again = client.get(url, headers={"If-None-Match": f'"{one.digest}"'})

    assert (again.status_code, again.content) == (304, b"")
    assert client.get(url, headers={"If-None-Match": '"older"'}).status_code == 200
    assert client.head(url).status_code == 200
    assert client.post(url).status_code == 405


def make_draft(organization, by, provider, method, **fields):
    kind = fields.pop("kind", "gke" if provider.startswith("gcp") else "eks")
    cluster = factories.make_cluster(
        organization=organization,
        kind=kind,
        region="eu-west-3",
        account={"eks": "412380917263", "gke": "acme-clusters"}.get(kind, ""),
        cloud_name="prod-1",
        issuer=fields.pop("issuer", ISSUER),
        operator_namespace="eso",
    )
    fields.setdefault("name", "shop")
    return AccessDraft.objects.create(cluster=cluster, by=by, provider=provider, method=method, **fields)


def show(template, draft):
    return render_to_string(f"accesses/setup/{template}.html", {"setup": cards.context(draft)})


class Reader(HTMLParser):
    """What one can click and copy: links and blocks of code."""

    def __init__(self, html):
        super().__init__()
        self.links, self.codes, self.cards, self._in = [], [], 0, False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "a":
            self.links.append(given["href"])
        if tag == "li" and given.get("class") == "card":
            self.cards += 1
        if tag == "code":
            self.codes.append(given.get("data-whole", ""))
            self._in = "data-whole" not in given

    def handle_endtag(self, tag):
        self._in = self._in and tag != "code"

    def handle_data(self, data):
        if self._in:
            self.codes[-1] += data


PARTS = [
    ("aws_role", "aws-secrets-manager", "role", 3),
    ("aws_role", "aws-parameter-store", "role", 3),
    ("aws_static", "aws-secrets-manager", "static", 2),
    ("aws_static", "aws-parameter-store", "static", 2),
    ("aws_ambient", "aws-secrets-manager", "ambient", 2),
    ("gcp_key", "gcp-secret-manager", "key", 3),
    ("gcp_federation", "gcp-secret-manager", "federation", 2),
    ("gcp_workload_identity", "gcp-secret-manager", "workload-identity", 2),
    ("gcp_ambient", "gcp-secret-manager", "ambient", 1),
    ("azure_workload_identity", "azure-key-vault", "workload-identity", 2),
    ("azure_service_principal", "azure-key-vault", "service-principal", 2),
    ("azure_ambient", "azure-key-vault", "ambient", 1),
    ("conjur_api_key", "conjur", "api-key", 2),
    ("conjur_jwt", "conjur", "jwt", 3),
    ("kubernetes_token", "kubernetes", "token", 2),
    ("kubernetes_service_account", "kubernetes", "service-account", 1),
]


@pytest.mark.parametrize(("template", "provider", "method", "steps"), PARTS)
def test_each_method_has_its_cards_with_something_to_copy_and_to_check(
    organization, owner, template, provider, method, steps
):
    draft = make_draft(organization, owner, provider, method)

    html = show(template, draft)

    reader = Reader(html)
    assert reader.cards == steps
    assert html.count("Check: ") == steps
    assert html.count("data-copy") == len(reader.codes) > 0
    # Nothing that the context lacks.
    assert "<b></b>" not in html
    assert '<b class="mono"></b>' not in html
    assert "None" not in re.sub(r"--condition=None|=None", "", html)


@pytest.mark.parametrize(("template", "provider", "method", "steps"), PARTS)
def test_before_anything_is_known_the_cards_still_show(
    organization, owner, template, provider, method, steps
):
    draft = make_draft(organization, owner, provider, method, name="", issuer="", kind="kubeconfig")

    html = show(template, draft)

    if method in ("role", "federation") or template == "azure_workload_identity":
        assert "no OIDC issuer" in html
    else:
        assert Reader(html).cards == steps


def test_a_method_without_steps_outside_has_no_cards(organization, owner):
    draft = make_draft(organization, owner, "aws-secrets-manager", "automatic")

    assert cards.context(draft) == {}


def test_until_it_is_published_the_page_offers_the_file_and_the_command(organization, owner):
    draft = make_draft(organization, owner, "aws-secrets-manager", "role")

    html = show("aws_role", draft)

    reader = Reader(html)
    assert [url for url in reader.links if url.startswith("https:")] == []
    assert "/setup/keyhaven-role.yaml" in reader.links
    assert any("aws cloudformation deploy --region eu-west-3" in code for code in reader.codes)
    assert any(code.startswith("python manage.py publish_template") for code in reader.codes)
    assert cloudformation.digest() in reader.codes
    assert cloudformation.text() in reader.codes
    assert "Sign in to the AWS account" in html
    assert "412380917263" in html


def test_the_link_fills_in_what_the_cluster_is(organization, owner):
    draft = make_draft(
        organization, owner, "aws-parameter-store", "role", configuration={"region": "eu-west-1"}
    )
    PublishedTemplate.objects.create(
        url="https://b.s3.eu-west-3.amazonaws.com/k.yaml", digest=cloudformation.digest(), region="eu-west-3"
    )

    html = show("aws_role", draft)

    (link,) = [url for url in Reader(html).links if url.startswith("https:")]
    assert link.startswith("https://eu-west-1.console.aws.amazon.com/cloudformation/home?region=eu-west-1#")
    assert (
        "param_OIDCProviderURL=https%3A%2F%2Foidc.eks.eu-west-3.amazonaws.com%2Fid%2F0123456789ABCDEF&"
        in link
    )
    assert f"param_ServiceAccount={draft.service_account}&" in link
    assert "param_Namespace=eso&" in link
    assert "param_Service=ParameterStore&" in link
    assert "param_CreateOIDCProvider=no" in link
    assert "publish_template" not in html


@pytest.mark.parametrize(
    ("digest", "region", "words"),
    [("0" * 64, "eu-west-3", "older template"), (None, "cn-north-1", "Rather click")],
)
def test_an_older_template_or_one_of_another_partition_is_no_link(organization, owner, digest, region, words):
    draft = make_draft(organization, owner, "aws-secrets-manager", "role")
    PublishedTemplate.objects.create(
        url="https://b.s3.x.amazonaws.com/k", digest=digest or cloudformation.digest(), region=region
    )

    html = show("aws_role", draft)

    assert "quickcreate" not in html
    assert "aws cloudformation deploy" in html
    assert words in html


def test_another_clouds_cluster_brings_its_provider_along(organization, owner):
    draft = make_draft(organization, owner, "aws-secrets-manager", "federation", kind="gke")

    html = show("aws_role", draft)

    assert "CreateOIDCProvider=yes" in html
    assert "the AWS account that has the secrets" in html
    assert "acme-clusters" not in html


def test_the_serviceaccount_has_its_name_before_the_access_has_one(organization, owner):
    draft = make_draft(organization, owner, "aws-secrets-manager", "role", name="")

    assert f"keyhaven-{draft.pk.hex[:8]}" in Reader(show("aws_role", draft)).codes


def test_the_cards_of_a_key_have_the_very_policy(organization, owner):
    draft = make_draft(organization, owner, "aws-parameter-store", "static")

    html = show("aws_static", draft)

    assert policies.text(policies.document("aws-parameter-store")) in Reader(html).codes
    assert "ssm:DescribeParameters stays on *" in html


def test_the_script_is_on_the_page_with_its_checksum(organization, owner):
    draft = make_draft(
        organization, owner, "gcp-secret-manager", "key", configuration={"project": "acme-secrets"}
    )

    reader = Reader(show("gcp_key", draft))

    assert google_script.SCRIPT.text in reader.codes
    assert google_script.SCRIPT.digest in reader.codes
    assert any("sha256sum -c -" in code and "acme-secrets" in code for code in reader.codes)
    assert "/setup/create_secret_manager_credentials_gcp.sh" in reader.links


def test_hostile_words_stay_words(organization, owner):
    """A project is typed by a person; neither the page nor the shell of who copies it may run it."""
    hostile = '"; touch hacked; <script>alert(1)</script>'
    draft = make_draft(organization, owner, "gcp-secret-manager", "key", configuration={"project": hostile})

    html = show("gcp_key", draft)

    assert "<script>" not in html
    assert any(f"'{hostile}'" in code for code in Reader(html).codes)


def test_the_wizard_shows_the_cards_where_the_details_are_asked(organization, devops, sign_in):
    draft = make_draft(organization, devops, "aws-secrets-manager", "role", name="")
    factories.make_service(cluster=draft.cluster, namespace="shop")
    url = f"/o/acme/clusters/{draft.cluster.name}/secret-managers/new/{draft.pk}/details/"
    browser = sign_in(devops)

    first = browser.get(url)
    second = browser.post(url, {"name": "billing", "region": "eu-west-3", "namespaces": ["shop"]})

    assert first.status_code == 200
    assert f"keyhaven-{draft.pk.hex[:8]}" in first.content.decode()
    assert "The test makes the ServiceAccount" in first.content.decode()
    assert second.status_code == 422
    assert f"keyhaven-{draft.pk.hex[:8]}" in second.content.decode()
