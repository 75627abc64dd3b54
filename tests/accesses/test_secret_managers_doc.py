"""The tables of docs/secret-managers.md are true: the records say the same, each field is in a form or in the operator's schema."""

import re

import pytest
import yaml

from accesses import providers, writing
from accesses.providers import ConfigurationForm

_OURS = re.compile(r"`([\w*-]+):(\w+)`")
_CODE = re.compile(r"`([^`]+)`")
_STORES = (
    "aws", "azurekv", "beyondtrust", "conjur", "doppler", "gcpsm", "onepassword", "onepasswordSDK", "secretserver",
    "vault", "webhook",
)  # fmt: skip


def table(project, heading):
    """Return the rows below a heading, as cells."""
    text = (project / "docs" / "secret-managers.md").read_text()
    part = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture(scope="module")
def rows(project):
    return [row for row in table(project, "Where each option has its place") if not row[0].startswith("**")]


def _told(provider):
    """Return what the overview says of a provider, but for what becomes of a prefix."""
    rules, written = provider.references, provider.writing
    kinds = {"keys": "keys of one", "path": "a path", "tags": "tags"}
    several = [words for kind, words in kinds.items() if kind not in rules.cannot]
    listed = "listed" if rules.tags_listed else "put, not listed"
    return [
        f"[{provider.label}](providers/{provider.slug}.md)",
        ", ".join(method.label for method in provider.methods),
        "typed" if provider.unlisted else "listed",
        "can be named" if rules.versions else "the newest alone",
        "no" if "json_field" in rules.cannot else "yes",
        ", ".join(several),
        f"{written.most_bytes:,} bytes" if written else "no",
        ("older ones stay" if written.versions else "replaces the value") if written else "-",
        ("comes back" if written.restores else "is gone") if written else "-",
        listed if writing.has_tags(provider) else "none",
    ]


def test_what_each_can_do_is_what_its_record_says(project):
    found = table(project, "What each can do")
    expected = [_told(one) for _, ones in providers.grouped(providers.PROVIDERS.values()) for one in ones]
    # A provider of which nothing comes at once says so in a word.
    expected = [[cell or "nothing" for cell in row] for row in expected]

    assert [row[:3] + row[4:] for row in found] == expected


def test_each_says_what_becomes_of_a_prefix(project):
    said = {row[3] for row in table(project, "What each can do")}

    assert all(
        one.startswith(("asked for", "looked through here", "typed", "its longest part")) for one in said
    )


@pytest.mark.parametrize("heading", ["What narrows an identity to a prefix", "What it was tried against"])
def test_nobody_is_left_out(project, heading):
    told = " ".join(row[0] for row in table(project, heading))

    short = {"Delinea Secret Server": "Delinea", "Delinea DevOps Secrets Vault": "Delinea"}
    for provider in providers.PROVIDERS.values():
        label = short.get(provider.label, provider.label)
        words = (
            label,
            label.removeprefix("CyberArk ").removesuffix(" Password Safe").removesuffix(" source"),
        )
        assert any(one in told or one.removesuffix(" Secrets") in told for one in words), label


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
