"""No upstream name, tag or JSON key breaks a page, a manifest or a variable's name."""

import html
import json
import re
from typing import Any

import jsonschema
import pytest
import yaml
from django.db import transaction
from hypothesis import example, given
from hypothesis import strategies as st

from accesses import causes as store_causes
from external_secrets import causes, inventory, manifests, naming, paths, references
from external_secrets.exchange import exporting
from external_secrets.models import ExternalSecret, InventoryEntry, InventoryState, path_rule, variable_rule
from tests import factories
from tests.external_secrets import hostile
from tests.external_secrets.manager import FakeManager, entry
from tests.world import VIEWS

pytestmark = pytest.mark.django_db

PROVIDERS = ("aws-secrets-manager", "aws-parameter-store", "gcp-secret-manager")
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}\Z")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\Z")

variables = st.one_of(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,199}", fullmatch=True),
    st.sampled_from(["_", "__", "A" * 200, "_" * 200, "_9", "DB"]),
)
file_paths = st.one_of(
    st.from_regex(r"(/[A-Za-z0-9_.@+=,-]{1,20}){1,6}", fullmatch=True),
    st.sampled_from(["/-", "/.", "/a/...", "/=/,", "/" + "x" * 1023]),
)


@pytest.fixture(scope="module")
def schema(project) -> dict[str, Any]:
    """The operator's schema of an ExternalSecret."""
    folder = project / "sandbox" / "chart" / "external-secrets" / "templates"
    lines = (folder / "crd-externalsecrets.yaml").read_text().splitlines()
    crd = yaml.safe_load("\n".join(line for line in lines if "{{" not in line))
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


@pytest.fixture
def undone():
    """Return a way to try an example and leave no row behind."""

    class Undone(transaction.Atomic):
        def __init__(self) -> None:
            super().__init__(using=None, savepoint=True, durable=False)

        def __exit__(self, *error: Any) -> None:
            if error[0] is None:
                transaction.set_rollback(True)
            super().__exit__(*error)

    return Undone


# -- names -----------------------------------------------------------------------------------------------
@hostile.fixed(200)
@given(hostile.anything, hostile.anything | st.just(""))
def test_a_name_suggests_a_legal_variable_or_none(key, json_field):
    name = naming.derive_variable(key, json_field)

    assert len(name) <= naming.LONGEST
    if name:
        variable_rule(name)


@hostile.fixed(200)
@given(hostile.anything, hostile.anything | st.just(""))
def test_a_name_suggests_a_path_that_the_form_takes(key, json_field):
    path = naming.derive_path(key, json_field)

    path_rule(path)
    assert paths.clean(path) == path


@hostile.fixed()
@given(hostile.anything)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_typed_is_a_reference_or_refused_with_a_sentence(provider, text):
    access = factories.make_access(provider=provider)

    refusal = ""
    try:
        reference = references.parse(access, text)
    except references.NotReadable as error:
        refusal = str(error)

    assert refusal.endswith(".") if refusal else "\x00" not in reference.key + reference.json_field


# -- manifests -------------------------------------------------------------------------------------------
links = st.fixed_dictionaries(
    {
        "takes": st.sampled_from(ExternalSecret.Takes.values),
        "target": st.sampled_from(ExternalSecret.Target.values),
        "key": hostile.kept,
        "tags": hostile.tags,
        "json_field": st.just("") | hostile.kept,
        "version": st.just("") | hostile.kept,
        "variable": variables,
        "path": file_paths,
        "refresh_seconds": st.integers(60, 10**6),
        "when_gone": st.sampled_from(ExternalSecret.WhenGone.values),
    }
)


def as_link(access: Any, service: Any, fields: dict[str, Any]) -> ExternalSecret:
    """Return an unsaved link, with the columns that its target has."""
    fields = dict(fields)
    if fields["target"] == "variable":
        fields["path"] = ""
    if fields["target"] == "file":
        fields["variable"] = ""
    if fields["takes"] == "tags":
        fields["key"] = ""
    place = {"cluster": access.cluster, "namespace": "shop", "service": service, "container": "web"}
    return ExternalSecret(access=access, **place, **fields)


@hostile.fixed()
@given(links)
@example({"takes": "path", "target": "variable", "key": "😀", "tags": {}, "json_field": "", "version": "", "variable": "",
          "path": "", "refresh_seconds": 60, "when_gone": "Retain"})  # fmt: skip
def test_a_link_becomes_an_object_that_kubernetes_takes(access, service, schema, fields):
    link = as_link(access, service, fields)

    manifest = manifests.external_secret(link)

    jsonschema.validate(manifest, schema)
    assert DNS_LABEL.match(manifest["metadata"]["name"])
    assert DNS_LABEL.match(manifest["spec"]["target"]["name"])
    for name, value in manifest["metadata"]["labels"].items():
        assert LABEL_VALUE.match(value), name
    for one in manifest["spec"].get("data", ()):
        assert SECRET_KEY.match(one["secretKey"])


@hostile.fixed()
@given(links)
def test_it_is_the_same_after_yaml_and_json(access, service, fields):
    manifest = manifests.external_secret(as_link(access, service, fields))

    assert yaml.safe_load(yaml.safe_dump(manifest)) == manifest
    assert yaml.safe_load(exporting.Document("ExternalSecret", "a", "shop", manifest).text) == manifest
    assert json.loads(json.dumps(manifest)) == manifest


@hostile.fixed()
@given(hostile.kept)
def test_a_query_for_a_field_has_nothing_that_means_more_than_itself(json_field):
    query = manifests.gjson(json_field)

    assert re.search(r"(?<!\\)[*?|#@!{}\[\]]", query) is None


@hostile.fixed()
@given(st.lists(hostile.kept, max_size=8, unique=True))
def test_keys_of_found_names_are_legal_or_said_to_be_illegal(access, undone, names):
    with undone():
        for name in names:
            factories.make_entry(access, f"prod/{name}")
        InventoryState.objects.create(access=access, read_at="2026-01-01T00:00:00Z")

        seen = references.preview(access, {"takes": "path", "key": "prod/"})

        for one in seen.names:
            assert SECRET_KEY.match(one.key) or one.key in seen.illegal or len(one.key) > 253
            assert not one.variable or re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", one.variable)


# -- what the operator says ------------------------------------------------------------------------------
@hostile.fixed()
@given(hostile.kept, hostile.anything, st.sampled_from(ExternalSecret.Takes.values))
def test_whatever_the_operator_says_is_translated_and_can_be_kept(access, service, key, said, takes):
    link = ExternalSecret(
        access=access,
        cluster=access.cluster,
        namespace="shop",
        service=service,
        key=key,
        takes=takes,
        variable="A",
    )

    for cause in (causes.translate(said, link), store_causes.translate(said, access)):
        assert cause.reason
        assert cause.remedy
        assert not {"\x00"} & set(cause.reason + cause.remedy)
        cause.reason.encode()


# -- reading -----------------------------------------------------------------------------------------------
facts = st.fixed_dictionaries(
    {},
    optional={
        "reference": hostile.anything,
        "description": hostile.anything,
        "kind": hostile.anything,
        "tags": st.dictionaries(hostile.anything, hostile.anything, max_size=3),
    },
)


@hostile.fixed()
@given(st.lists(st.tuples(hostile.anything, facts), max_size=5, unique_by=lambda one: one[0]))
def test_a_reading_keeps_every_name_that_can_be_kept(access, undone, monkeypatch, found):
    FakeManager(entry("prod/plain"), *(entry(name, **beside) for name, beside in found)).use(monkeypatch)

    with undone():
        assert inventory.read_all(access)

        state = InventoryState.objects.get(access=access)
        names = set(InventoryEntry.objects.filter(access=access).values_list("name", flat=True))
        assert state.error == ""
        assert "prod/plain" in names
        possible = {name for name, _ in found if is_storable(name) and len(name.encode()) <= 2048}
        assert names - {"prod/plain"} == possible - {"prod/plain"}


def is_storable(name: str) -> bool:
    return "\x00" not in name and not any("\ud800" <= mark <= "\udfff" for mark in name)


# -- pages -----------------------------------------------------------------------------------------------
@pytest.fixture
def page(world, client, owner, manager, monkeypatch):
    """Return a function that asks for a page of the world as its owner."""
    from external_secrets import syncing

    client.force_login(owner)
    monkeypatch.setattr(syncing.tasks.read_again, "delay", lambda link_ids: None)

    def act(name: str, query: str = "", body: str | None = None) -> Any:
        url = f"{world.url(f'external_secrets:{name}')}?{query}"
        if body is None:
            return client.get(url)
        return client.post(url, body, content_type="application/x-www-form-urlencoded")

    return act


@pytest.fixture
def access_of_world(world):
    from accesses.models import Access

    return Access.objects.get(pk=world.arguments["external_secrets", "access"])


@hostile.fixed(30)
@given(hostile.kept, hostile.tags, hostile.kept, hostile.kept)
@example("prod/db", {"items": "a", "keys": "b"}, "d", "r")
def test_a_name_that_was_read_stands_on_the_page_as_it_is(
    page, access_of_world, undone, name, tags, about, reference
):
    with undone():
        factories.make_entry(
            access_of_world, name, tags=tags, description=about, reference=reference, kind="secret"
        )
        InventoryState.objects.update_or_create(
            access=access_of_world, defaults={"read_at": "2026-01-01T00:00:00Z", "entries": 1}
        )

        answer = page("browse", hostile.encoded({"access": str(access_of_world.pk)}))

        assert answer.status_code == 200
        assert html.escape(name) in answer.content.decode()


@hostile.fixed(30)
@given(hostile.anything)
@pytest.mark.parametrize("name", ["link", "browse", "linked", "usage"])
def test_a_name_in_an_address_breaks_no_page(page, access_of_world, undone, name, text):
    given = dict.fromkeys(("key", "q", "after", "cursor", "json_field", "field"), text)

    with undone():
        answer = page(name, hostile.encoded({"access": str(access_of_world.pk)} | given))

    assert answer.status_code in (200, 302, 404, 422)
    assert "alert(1)</script>" not in answer.content.decode()


@hostile.fixed(20)
@given(
    hostile.kept,
    hostile.kept,
    hostile.tags,
    st.lists(hostile.kept, max_size=3),
    st.sampled_from(["value", "keys", "path", "tags"]),
)
@pytest.mark.parametrize("name", ["linked", "usage", "service", "unlink", "state"])
def test_a_link_to_any_name_is_shown_and_shown_as_it_is(
    page, world, undone, name, key, said, tags, keys, takes
):
    fields = {
        "key": "" if takes == "tags" else key, "tags": tags, "takes": takes, "json_field": said[:300], "version": said[:100],
        "seen_keys": keys, "status": "failed", "status_reason": said, "status_remedy": said,
        "events": [{"at": "2026-01-01T10:00:00+00:00", "type": "Warning", "reason": said, "message": said, "count": 2}],
    }  # fmt: skip

    with undone():
        ExternalSecret.objects.filter(pk=world.arguments["external_secrets", "link"]).update(**fields)

        answer = page(name)

        text = answer.content.decode()
        assert answer.status_code in (200, 302)
        assert "alert(1)</script>" not in text
        if name in ("linked", "service", "usage") and takes == "value":
            assert html.escape(key) in text


OURS = sorted(name.partition(":")[2] for name in VIEWS if name.startswith("external_secrets:"))
KNOWN = (
    "access", "service", "namespace", "link", "key", "q", "after", "cursor", "show", "n", "preview", "alias_of", "status",
    "cluster", "takes", "below", "tags", "json_field", "version", "version_id", "version_stage", "region", "role_arn",
    "audience", "scope", "place", "target", "variable", "path", "mount", "file_mode", "refresh_seconds",
    "restart_on_change", "when_gone", "seen", "name", "names", "text", "list", "prefix", "folder", "tag", "target", "then",
    "freshness", "part", "container", "page", "sort", "accesses", "kind", "yaml", "file", "chosen", "confirm",
)  # fmt: skip


@hostile.fixed(20)
@given(st.data())
@pytest.mark.parametrize("name", OURS)
def test_no_request_is_answered_by_an_error_of_ours(page, world, undone, name, data):
    """What a stranger to the forms could send: any field, any bytes, and now and then what is really there."""
    methods = VIEWS[f"external_secrets:{name}"].callback.methods
    known = {
        part: str(world.arguments["external_secrets", part])
        for part in ("access", "service", "link", "cluster")
    }
    known |= {"namespace": "shop", "takes": "path", "scope": "namespace", "target": "both"}
    values = st.dictionaries(st.sampled_from(KNOWN), hostile.anything, max_size=5)
    right = st.sets(st.sampled_from(sorted(known)))
    fields = data.draw(values) | {part: known[part] for part in data.draw(right)}
    method = data.draw(st.sampled_from([one for one in methods if one != "HEAD"]))

    with undone():
        if method == "GET":
            answer = page(name, hostile.encoded(fields))
        else:
            answer = page(name, hostile.encoded(data.draw(values)), hostile.encoded(fields))

    assert answer.status_code < 500
