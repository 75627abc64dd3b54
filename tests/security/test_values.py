"""Where values of secrets may be, and where they never are: items 28, 29, 32 and 33 of the checklist in docs/security.md."""

import inspect
import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from celery import current_app
from django import forms
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.urls import get_resolver

from accesses.providers import PROVIDERS
from accounts.encryption import EncryptedTextField, Unreadable, columns
from accounts.models import Organization
from built_in import services as built_in
from built_in.models import StoredVersion
from clusters.models import ConnectDraft, Rotation
from config.urls import urlpatterns
from credentials import clouds, issuer
from credentials.fields import SecretField
from tests import factories
from tests.test_canary import CANARY, tables
from tests.tools import broker
from tests.world import PAGES, World

pytestmark = pytest.mark.django_db

# Who is asked for keys and tokens: clouds and secret managers.
ASKED = (*clouds.CLOUDS.values(), *PROVIDERS.values())
# Every model with encrypted fields, by table.
SEALED = {
    model: [field for field in model._meta.local_concrete_fields if isinstance(field, EncryptedTextField)]
    for model in apps.get_models()
    if any(isinstance(field, EncryptedTextField) for field in model._meta.local_concrete_fields)
}


def canary(field: Any) -> Any:
    return {"value": CANARY} if type(field).__name__ == "EncryptedJSONField" else CANARY


def copy(row: Any, field: Any, stored: str) -> Any:
    """Return a row as the database would give it, with what is stored in one column."""
    model, fields = type(row), row._meta.concrete_fields
    values = [field.from_db_value(stored) if one is field else getattr(row, one.attname) for one in fields]
    return model.from_db(None, [one.attname for one in fields], values)


@pytest.fixture
def sealed(world: World, organization: Organization, owner: Any) -> World:
    """One row at least of each model that has an encrypted column, with the canary in each of them."""
    credential = factories.make_cloud_credential(organization=organization, name="rotated")
    Rotation.objects.create(credential=credential, started_by="Marie Rey")
    ConnectDraft.objects.create(organization=organization, by=owner)
    factories.make_identity_provider(organization=organization, domains=()) if not _has(
        "accounts.IdentityProvider"
    ) else None
    if not _has("accounts.Destination"):
        factories.make_destination(organization=organization)
    issuer.keys()
    built_in.create(organization=organization, name="prod/own", value=CANARY, tags={}, by=owner.name)
    for model, fields in SEALED.items():
        for row in model._default_manager.all():
            for field in fields:
                setattr(row, field.attname, canary(field))
            row.save(update_fields=[field.attname for field in fields])
    return world


def _has(label: str) -> bool:
    return bool(apps.get_model(label)._default_manager.exists())


class TestAtRest:
    def test_every_encrypted_column_held_the_canary_and_none_shows_it(self, sealed):
        """Item 28, in the database: the test above would be empty without rows."""
        empty = [model._meta.label for model in SEALED if not model._default_manager.exists()]

        assert empty == []
        assert {table for table, text in tables().items() if CANARY in text} == set()
        assert CANARY not in broker(settings.REDIS_URL)

    @pytest.mark.parametrize("model", SEALED, ids=lambda model: model._meta.label)
    def test_a_value_is_good_for_its_own_row_alone(self, sealed, model):
        """Item 29: what is copied to another row is refused, whatever the column."""
        field = SEALED[model][0]
        row = model._default_manager.first()
        table, column, key = model._meta.db_table, field.column, model._meta.pk.column
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT "{column}" FROM "{table}" WHERE "{key}" = %s', [row.pk])
            stored = cursor.fetchone()[0]
        read = copy(row, field, stored)
        assert getattr(read, field.attname) == canary(field)

        other = copy(read, field, stored)
        if model is StoredVersion:
            # What binds it is where it belongs: organization, name and number.
            other.number += 1
        else:
            other.pk = "00000000-0000-0000-0000-000000000001"
        with pytest.raises(Unreadable, match="another row"):
            getattr(other, field.attname)

    def test_second_factors_are_among_what_is_written_anew(self):
        assert Authenticator._meta.db_table in {column.table for column in columns.every()}


class TestOnTheWay:
    """Item 32: what goes through the broker names rows, and nothing else."""

    def tasks(self) -> dict[str, Any]:
        current_app.loader.import_default_modules()
        return {name: task for name, task in current_app.tasks.items() if not name.startswith("celery.")}

    def test_tasks_take_ids_and_words_that_are_no_values(self):
        found = {
            name: [
                word
                for word, parameter in inspect.signature(task.run).parameters.items()
                if parameter.kind != inspect.Parameter.VAR_KEYWORD
            ]
            for name, task in self.tasks().items()
        }
        # Ids; who asks; and what a mail tells of: an address, an agent, a kind of event.
        allowed = re.compile(r"(\w+_)?ids?|by|what|email|action|address|(user_)?agent")

        strange = {
            name: words for name, words in found.items() if any(not allowed.fullmatch(word) for word in words)
        }

        assert len(found) >= 9
        assert strange == {}

    def test_messages_are_json(self):
        assert current_app.conf.task_serializer == "json"
        assert "pickle" not in current_app.conf.accept_content


class TestNoReveal:
    """Item 33: a stored value cannot be shown at all, by nobody."""

    def secret_names(self) -> set[str]:
        shown = {
            name
            for asked in ASKED
            for method in asked.methods
            for name, field in method.form.base_fields.items()
            if isinstance(field, SecretField)
        }
        return shown | {"kubeconfig", "client_secret"}

    def test_no_address_is_for_revealing(self):
        patterns = json.dumps([str(pattern.pattern) for pattern in get_resolver().url_patterns])

        assert not [name for name in PAGES if re.search(r"reveal|decrypt|plain", name)]
        assert not re.search(r"reveal|decrypt|plaintext", patterns)
        assert urlpatterns

    def test_no_answer_of_the_api_has_a_field_for_one(self, client, owner, sign_in):
        document = sign_in(owner).get("/api/v1/openapi.json").json()
        schemas = document["components"]["schemas"]
        answers = _reached(schemas, [
            answer for methods in document["paths"].values() for call in methods.values() for answer in call["responses"].values()
        ])  # fmt: skip

        fields = {name for schema in answers for name in schemas[schema].get("properties", {})}

        assert len(answers) > 20
        # A link's `key` is the name of what it reads; of a cloud credential it would be a key.json. An event's `token`
        # is the name of an API token; of an access it would be the manager's.
        assert fields & self.secret_names() <= {"key", "token"}
        assert [name for name in answers if "token" in schemas[name].get("properties", {})] == ["EventShown"]
        assert not [
            name for name in answers if "Credential" in name and "key" in schemas[name].get("properties", {})
        ]

    def test_secret_fields_never_render_a_value(self):
        for asked in ASKED:
            for method in asked.methods:
                form = method.form(dict.fromkeys(method.form.base_fields, CANARY))
                assert isinstance(form, forms.Form)
                secret = [form[name].as_widget() for name in form.secret_names()]
                assert CANARY not in "".join(secret), f"{asked.slug}.{method.slug}"


def _reached(schemas: dict[str, Any], parts: Any) -> set[str]:
    """Return the names of the schemas that these parts of the document lead to."""
    found: set[str] = set()
    waiting = re.findall(r"#/components/schemas/(\w+)", json.dumps(parts))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += re.findall(r"#/components/schemas/(\w+)", json.dumps(schemas[name]))
    return found
