"""The table of docs/secret-managers.md is true: each field is in a form, each of the operator's in its schema, no cell is blank."""

import re

import pytest
import yaml

from accesses import providers
from accesses.providers import ConfigurationForm

_OURS = re.compile(r"`([\w*-]+):(\w+)`")
_CODE = re.compile(r"`([^`]+)`")
_STORES = (
    "aws", "azurekv", "beyondtrust", "conjur", "doppler", "gcpsm", "onepassword", "onepasswordSDK", "secretserver",
    "vault", "webhook",
)  # fmt: skip


@pytest.fixture(scope="module")
def rows(project):
    text = (project / "docs" / "secret-managers.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in found if not row[0].startswith("**")]


@pytest.fixture(scope="module")
def schema(shared):
    documents = yaml.load_all((shared / "data" / "eso-crds-2.9.0.yaml").read_text(), Loader=yaml.CSafeLoader)
    crd = next(one for one in documents if one and one["spec"]["names"]["kind"] == "ClusterSecretStore")
    version = next(one for one in crd["spec"]["versions"] if one["name"] == "v1")
    return version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["provider"]


def test_no_cell_is_blank_and_none_says_why(rows):
    assert len(rows) > 50
    for row in rows:
        assert len(row) == 3, row
        assert all(row), row
        for cell in row[1:]:
            assert not cell.startswith("None") or len(cell) > len("None: because"), row


def test_each_of_our_fields_is_in_a_form(rows):
    named = {found for row in rows for found in _OURS.findall(row[1])}
    missing = []
    for slug, field in named:
        if slug == "*":
            forms = [ConfigurationForm]
        else:
            forms = [method.form for method in providers.PROVIDERS[slug].methods]
        missing += [] if any(field in form.base_fields for form in forms) else [f"{slug}:{field}"]

    assert len(named) > 40
    assert missing == []


def test_each_of_the_operators_fields_is_in_its_schema(rows, schema):
    named = {
        path
        for row in rows
        for path in _CODE.findall(row[2])
        if path.split(".")[0] in _STORES
    }  # fmt: skip

    assert len(named) > 35
    assert sorted(path for path in named if not _is_there(schema, path)) == []


def test_each_setting_is_one(rows, project):
    readme = (project / "README.md").read_text()
    named = {name for row in rows for name in re.findall(r"`((?:INVENTORY|FIELD)\w*)`", row[1])}

    assert named
    assert [name for name in named if f"`{name}`" not in readme] == []


def test_every_option_of_the_seed_has_a_row(rows, shared):
    """Its YAML is read by indentation alone: some of it has placeholders that are no YAML."""
    seed = next((shared / "seeds").glob("002_*.txt")).read_text()
    told = " ".join(row[0] for row in rows)
    names = set()
    for block in re.findall(r"```yaml\n(.*?)```", seed, re.DOTALL):
        block = re.sub(r"\|\n.*?\n\s*}", "x", block, flags=re.DOTALL)
        names |= set(re.findall(r"^\s+([\w-]+): *\S", block, re.MULTILINE))
    names |= {one.rpartition(".")[2] for one in re.findall(r"`kestra\.secret\.([\w.-]+)`", seed)}
    # A tag's own name is no option.
    names -= {"application"}

    assert len(names) > 25
    assert sorted(name for name in names if not re.search(rf"\b{re.escape(name)}\b", told)) == []


def _is_there(schema, path):
    for name in path.split("."):
        schema = schema.get("properties", {}).get(name)
        if schema is None:
            return False
    return True
