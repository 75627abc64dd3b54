"""Every example of GitLab's page on AWS Secrets Manager, typed into the form, means the same to the operator.

What GitLab's runner does with `AWS_REGION` and `AWS_ROLE_ARN`, an access does here.
"""

import re
from typing import Any

import pytest
import yaml

from accesses import manifests as stores
from accesses import variants
from external_secrets import forms, manifests
from external_secrets.models import ExternalSecret
from tests import factories

pytestmark = pytest.mark.django_db

ROLE = "arn:aws:iam::123456789012:role/"
VARIABLE, BOTH = ExternalSecret.Target.VARIABLE, ExternalSecret.Target.BOTH


@pytest.fixture
def runner(cluster):
    """Return a function that makes the access that stands for a pipeline's variables: how, and in which region."""

    def make(method: str = "ambient", region: str = "us-east-1", **configuration: str) -> Any:
        found = {"region": region} | configuration
        return factories.make_access(
            cluster=cluster, method=method, configuration=found, credential=None, namespaces=["shop"]
        )

    return make


@pytest.fixture
def typed(service):
    """Return a function that types fields into the form and returns the link that comes of it."""

    def act(access: Any, variable: str, file: bool = False, **fields: str) -> ExternalSecret:
        form = forms.ReferenceForm(access, data=fields)
        assert form.is_valid(), form.errors
        path = f"/etc/secrets/{variable.lower()}" if file else ""
        return factories.make_link(
            service=service, access=access, variable=variable, path=path, target=BOTH if file else VARIABLE,
            variant=variants.use(access, **form.overrides), **form.reference_values,
        )  # fmt: skip

    return act


def remote(link: ExternalSecret) -> dict[str, str]:
    """Return what the operator is asked for, which arrives under the variable's name."""
    (entry,) = manifests.external_secret(link)["spec"]["data"]
    assert entry["secretKey"] == link.variable
    return dict(entry["remoteRef"])


def store(link: ExternalSecret) -> dict[str, Any]:
    """Return the provider of the store that the operator reads from."""
    name = manifests.external_secret(link)["spec"]["secretStoreRef"]["name"]
    found = {one["metadata"]["name"]: one for one in stores.stores(link.access)}
    return dict(found[name]["spec"]["provider"]["aws"])


def role_of(link: ExternalSecret) -> str:
    """Return the role that the store's ServiceAccount is annotated with."""
    name = store(link)["auth"]["jwt"]["serviceAccountRef"]["name"]
    found = {one["metadata"]["name"]: one for one in stores.signing_in(link.access)}
    return str(found[name]["metadata"]["annotations"]["eks.amazonaws.com/role-arn"])


def test_with_the_iam_role_of_the_runner(runner, typed):
    link = typed(runner(), "DATABASE_PASSWORD", key="app-secrets/database", json_field="password")

    assert remote(link) == {"key": "app-secrets/database", "property": "password"}
    assert store(link) == {"service": "SecretsManager", "region": "us-east-1"}


def test_with_openid_connect(runner, typed):
    access = runner("role", role_arn=f"{ROLE}gitlab-secrets-role")

    link = typed(access, "DATABASE_PASSWORD", key="app-secrets/database", json_field="password")

    assert remote(link) == {"key": "app-secrets/database", "property": "password"}
    assert role_of(link) == f"{ROLE}gitlab-secrets-role"
    assert link.variant is None


def test_with_a_custom_token(runner, typed):
    """GitLab's tokens have names, and this one the audience that is usual: nothing differs but the ServiceAccount's."""
    access = runner("role", role_arn=f"{ROLE}gitlab-secrets-role")
    key = {"key": "app-secrets/database", "json_field": "password"}

    usual = typed(access, "DATABASE_PASSWORD", audience="sts.amazonaws.com", **key)
    other = typed(access, "OTHER_PASSWORD", audience="gitlab.example.com", **key)

    assert remote(usual) == remote(other) == {"key": "app-secrets/database", "property": "password"}
    assert usual.variant is None
    account = stores.signing_in(access)[-1]
    assert account["metadata"]["annotations"] == {
        "eks.amazonaws.com/role-arn": f"{ROLE}gitlab-secrets-role",
        "eks.amazonaws.com/audience": "gitlab.example.com",
    }
    assert store(other)["auth"]["jwt"]["serviceAccountRef"]["name"] == account["metadata"]["name"]


def test_the_short_form_with_a_field(runner, typed):
    assert remote(typed(runner(), "API_KEY", key="app-secrets/api#api_key")) == {
        "key": "app-secrets/api",
        "property": "api_key",
    }


def test_the_short_form_without_a_field(runner, typed):
    assert remote(typed(runner(), "FULL_SECRET", key="app-secrets/api")) == {"key": "app-secrets/api"}


def test_a_version_by_its_stage(runner, typed):
    fields = {"key": "prod-app-secrets/database", "json_field": "password"}

    link = typed(runner(), "DATABASE_PASSWORD", version_stage="AWSCURRENT", **fields)

    assert remote(link) == {
        "key": "prod-app-secrets/database",
        "property": "password",
        "version": "AWSCURRENT",
    }


def test_a_version_by_its_id(runner, typed):
    fields = {"key": "prod-app-secrets/database", "json_field": "password"}
    version = "01234567-89ab-cdef-0123-456789abcdef"

    link = typed(runner(), "STAGING_DATABASE_PASSWORD", version_id=version, **fields)

    assert remote(link) == {
        "key": "prod-app-secrets/database", "property": "password", "version": f"uuid/{version}",
    }  # fmt: skip


def test_both_an_id_and_a_stage_are_refused(runner):
    both = {"version_id": "0" * 32, "version_stage": "AWSCURRENT"}

    form = forms.ReferenceForm(runner(), data={"key": "app"} | both)

    assert form.errors == {
        "version_id": ["Give a version's ID or a stage, not both: each names one version by itself."]
    }


def test_a_secret_of_another_account(runner, typed):
    access = runner("role", role_arn=f"{ROLE}cross-account-secrets-role")
    arn = "arn:aws:secretsmanager:us-east-1:987654321098:secret:shared-api-keys-AbCdEf"

    link = typed(access, "SHARED_API_KEY", key=arn, json_field="production_key")
    form = forms.ReferenceForm(access, data={"key": arn})

    assert remote(link) == {"key": arn, "property": "production_key"}
    assert link.variant is None
    (note,) = form.all_notes
    assert note.title == "This secret is of account 987654321098, not of 123456789012"
    assert all(access.configuration["role_arn"] in text for _, text in note.pastes[:2])


def test_overrides_of_one_secret(runner, typed):
    access = runner("role", role_arn=f"{ROLE}default-role")

    eu = typed(
        access, "EU_DATABASE_PASSWORD", key="eu-app-secrets/database", json_field="password",
        region="eu-west-1", role_arn=f"{ROLE}eu-deployment-role",
    )  # fmt: skip
    us = typed(access, "US_DATABASE_PASSWORD", key="us-app-secrets/database", json_field="password")

    assert remote(eu) == {"key": "eu-app-secrets/database", "property": "password"}
    assert (store(eu)["region"], role_of(eu)) == ("eu-west-1", f"{ROLE}eu-deployment-role")
    assert (store(us)["region"], role_of(us)) == ("us-east-1", f"{ROLE}default-role")
    assert "role" not in store(eu)


def test_a_session_name_is_said_to_have_no_counterpart(runner):
    form = forms.ReferenceForm(runner("role", role_arn=f"{ROLE}default-role"))

    assert "A session name has no counterpart" in form.fields["role_arn"].help_text


def test_a_secret_as_a_file_whose_path_is_in_the_variable(runner, typed):
    """GitLab's `file` is true unless somebody says otherwise."""
    link = typed(runner(), "DATABASE_PASSWORD", file=True, key="app-secrets/database", json_field="password")

    assert remote(link) == {"key": "app-secrets/database", "property": "password"}
    assert (link.target, link.variable, link.path) == (
        BOTH,
        "DATABASE_PASSWORD",
        "/etc/secrets/database_password",
    )


# -- docs/references.md ----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def seed(shared):
    (found,) = (shared / "seeds").glob("004_*.txt")
    return found.read_text()


def options_of(text: str) -> set[str]:
    """Return every option that GitLab's page names: in its examples, its prerequisites and its list."""
    found = set(re.findall(r"^ *- `(AWS_\w+)`:", text, re.MULTILINE))
    found |= set(re.findall(r"^(?:- |  )`(\w+)`:", text, re.MULTILINE))
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        pipeline = yaml.safe_load(block)
        found |= pipeline.pop("variables", {}).keys()
        for job in pipeline.values():
            for token in job.get("id_tokens", {}).values():
                found |= {"id_tokens", *token}
            for secret in job["secrets"].values():
                named = secret["aws_secrets_manager"]
                found |= secret.keys() | (named.keys() if isinstance(named, dict) else {"short form"})
    return found


def test_the_table_has_each_option_of_gitlabs_and_no_cell_is_empty(seed, project):
    text = (project / "docs" / "references.md").read_text()
    table = text.partition("## GitLab's options")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("|")
    ][2:]

    assert {row[0].strip("`") for row in rows} == options_of(seed)
    assert all(len(row) == 3 and all(row) for row in rows)
