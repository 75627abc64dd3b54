"""What is special of Vault, against a real OpenBao server: both engines, namespaces, TLS, policies, and what it refuses."""

import json
import subprocess
import sys
import time
from typing import Any

import pytest
import yaml

from accesses import manifests, providers, trials
from accesses.providers.references import NotReadable
from accesses.providers.vault import client as vault_client
from accesses.providers.vault import policies as vault_policies
from accesses.providers.vault import record as vault
from accesses.providers.vault import references as vault_references
from accesses.providers.vault import wire as vault_wire
from accesses.providers.vault import writing as vault_writing
from accesses.providers.vault.forms import AppRoleForm, KubernetesForm, TokenForm, UserpassForm
from accesses.setup import cards
from credentials.clouds import errors
from sandbox import openbao as sandbox_vault
from sandbox import reading_vault
from sandbox.kubernetes import Cluster
from sandbox.reading_values import Failed, Missing
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

CANARY = "canary-71c0-value"


def make_access(bao: Any, token: str, **fields: Any) -> Any:
    configuration = {"address": bao.url, "namespace": "", "mount": "secret", "version": "2", "ca": bao.ca}
    columns = {name: fields.pop(name) for name in ("prefix", "method", "cluster") if name in fields}
    return factories.make_access(
        provider="vault",
        credential={"token": token},
        configuration=configuration | fields,
        **{"method": "token"} | columns,
    )


def client_of(access: Any) -> Any:
    """Return Vault as the access signs in to it, without the console's own bounds."""
    return vault.PROVIDER.connect(access, vault.PROVIDER.method_of(access).sign_in(access))


def names_of(manager: Any, prefix: str = "") -> list[str]:
    found, cursor, more = [], "", True
    while more:
        page = manager.page(prefix, cursor)
        found += [entry.name for entry in page.entries]
        cursor, more = page.cursor, bool(page.cursor)
    return found


@pytest.fixture
def reader(openbao) -> Any:
    return trials.connect(make_access(openbao, openbao.keys["reader"]["token"]))


@pytest.fixture
def old(openbao) -> Any:
    """Somebody who writes to version 1."""
    return trials.connect(make_access(openbao, openbao.keys["writer"]["token"], mount="kv", version="1"))


class TestNames:
    def test_they_come_by_their_letters_with_tags_and_the_time_of_the_last_change(self, reader, openbao):
        entries = reader.page("prod/shop/").entries

        assert [one.name for one in entries] == [n for n in openbao.names if n.startswith("prod/shop/")]
        assert entries[0].tags == {"stage": "prod", "team": "shop"}
        assert entries[0].changed_at is not None

    def test_a_prefix_that_ends_within_a_name(self, reader, openbao):
        expected = [name for name in openbao.names if name.startswith("prod/shop/db-")]

        assert names_of(reader, "prod/shop/db-") == expected != []

    def test_one_that_may_not_read_metadata_gets_names_alone(self, openbao):
        openbao.ask(
            "POST",
            "sys/policies/acl/names",
            {"policy": 'path "secret/metadata/*" { capabilities = ["list"] }'},
        )

        page = trials.connect(make_access(openbao, openbao.token("names"))).page("prod/shop/")

        assert [one.name for one in page.entries] == [n for n in openbao.names if n.startswith("prod/shop/")]
        assert {(one.changed_at, *one.tags) for one in page.entries} == {(None,)}

    def test_folders_that_may_not_be_listed_are_left_out(self, openbao):
        rules = 'path "secret/metadata/" { capabilities = ["list"] }\npath "secret/metadata/dev/*" { capabilities = ["list"] }'
        openbao.ask("POST", "sys/policies/acl/dev", {"policy": rules})

        found = names_of(trials.connect(make_access(openbao, openbao.token("dev"))))

        assert found == [name for name in openbao.names if name.startswith("dev/")]

    def test_a_name_that_begins_like_a_folder_stands_before_it(self, openbao, reader):
        for name in ("odd/a", "odd/a-b", "odd/a/x"):
            openbao.ask("POST", f"secret/data/{name}", {"data": {"value": "x"}})

        assert names_of(reader, "odd/") == ["odd/a", "odd/a-b", "odd/a/x"]

    @pytest.mark.parametrize("name", ["odd ones/ü € #1?x=y&z", "odd ones/100%", "odd ones/a+b"])
    def test_odd_letters(self, openbao, name):
        manager = trials.connect(make_access(openbao, openbao.keys["writer"]["token"]))
        manager.create(name, "x", {"team": "shop"})

        entry = manager.page(name).entries[0]

        assert (entry.name, entry.tags) == (name, {"team": "shop"})
        manager.delete(name)

    def test_deleted_ones_say_since_when(self, openbao):
        manager = trials.connect(make_access(openbao, openbao.keys["writer"]["token"]))
        manager.create("gone/one", "x", {})
        manager.delete("gone/one")

        assert manager.page("gone/").entries[0].deletes_at is not None


class TestVersion1:
    def test_names_without_tags(self, old, openbao):
        assert names_of(old) == openbao.old_names

    def test_it_is_written_and_deleted_for_good(self, old, openbao):
        old.create("written/old", "first", {})
        first = openbao.value("written/old", mount="kv")
        old.put("written/old", json.dumps({"user": "u", "port": 5432}))
        second = openbao.value("written/old", mount="kv")
        old.delete("written/old")

        assert (first, second) == ({"value": "first"}, {"user": "u", "port": 5432})
        assert names_of(old, "written/") == []

    def test_what_is_there_is_not_made_and_what_is_not_is_not_replaced(self, old, openbao):
        with pytest.raises(providers.AlreadyThere):
            old.create(openbao.old_names[0], "x", {})
        with pytest.raises(providers.NotThere):
            old.put("written/never", "x")
        with pytest.raises(providers.NotThere):
            old.delete("written/never")

    def test_what_it_cannot_do_is_said(self, old, openbao):
        access = make_access(openbao, "t", mount="kv", version="1")
        writing = vault.PROVIDER.writing_of(access)

        assert (writing.versions, writing.restores, writing.tags) == (False, False, False)
        assert vault.PROVIDER.references_of(access).no_tags
        assert not vault.PROVIDER.references_of(access).versions
        for act in (
            lambda: old.create("written/tagged", "x", {"team": "shop"}),
            lambda: old.tag("written/tagged", {"team": "shop"}),
            lambda: old.restore("written/tagged"),
        ):
            with pytest.raises(providers.NotPossibleHere):
                act()
        assert names_of(old, "written/") == []

    @pytest.mark.parametrize(("mount", "version", "there"), [("kv", "2", "1"), ("secret", "1", "2")])
    def test_the_wrong_version_is_told(self, openbao, mount, version, there):
        access = make_access(openbao, openbao.keys["reader"]["token"], mount=mount, version=version)

        with pytest.raises(providers.NotThere) as refusal:
            trials.connect(access).page()

        assert f"of version {there}" in refusal.value.reason


class TestWriting:
    @pytest.fixture
    def writer(self, openbao) -> Any:
        return trials.connect(make_access(openbao, openbao.keys["writer"]["token"]))

    def test_the_fields_of_an_object_keep_their_kinds(self, writer, openbao):
        typed = '{"port": 5432, "tls": true, "price": 1.10, "hosts": ["a", "b"], "more": {"x": null}}'

        writer.create("written/kinds", typed, {})

        assert openbao.value("written/kinds") == json.loads(typed)

    @pytest.mark.parametrize("value", ["[1, 2]", '"text"', "null", '{"a": NaN}', "{", ""])
    def test_what_is_no_object_is_kept_in_one_field(self, value):
        assert json.loads(vault_writing.fields(value)) == {"value": value}

    def test_older_versions_stay(self, writer, openbao):
        writer.create("written/versions", "first", {})
        writer.put("written/versions", "second")

        old = openbao.ask("GET", "secret/data/written/versions?version=1")

        assert old["data"]["data"] == {"value": "first"}

    def test_a_deleted_one_is_not_made_again_nor_given_a_version(self, writer):
        writer.create("written/deleted", "x", {})
        writer.delete("written/deleted")

        with pytest.raises(providers.AlreadyThere):
            writer.create("written/deleted", "y", {})
        with pytest.raises(providers.NotThere):
            writer.put("written/deleted", "y")
        with pytest.raises(providers.NotThere):
            writer.delete("written/deleted")

    def test_nothing_to_bring_back(self, writer, openbao):
        writer.create("written/destroyed", "x", {})
        with pytest.raises(providers.NotThere):
            writer.restore("written/destroyed")
        openbao.ask("POST", "secret/destroy/written/destroyed", {"versions": [1]})
        with pytest.raises(providers.NotThere):
            writer.restore("written/destroyed")

    def test_somebody_else_was_faster(self, writer, openbao, monkeypatch):
        writer.create("written/raced", "x", {})
        monkeypatch.setattr(writer, "_current", lambda name: 7)

        with pytest.raises(errors.Raced):
            writer.put("written/raced", CANARY)

        assert openbao.value("written/raced") == {"value": "x"}

    def test_who_may_not_tag_makes_nothing(self, openbao):
        rules = 'path "secret/data/*" { capabilities = ["create"] }'
        openbao.ask("POST", "sys/policies/acl/untagged", {"policy": rules})
        manager = trials.connect(make_access(openbao, openbao.token("untagged")))

        with pytest.raises(providers.PermissionMissing) as refusal:
            manager.create("written/untagged", "x", {"team": "shop"})

        assert refusal.value.permission == "create and update on secret/metadata/"
        with pytest.raises(sandbox_vault.Refused):
            openbao.value("written/untagged")

    @pytest.mark.parametrize("name", ["", "/", "a//b", "a/../b", "secret/x", "a\x00b", "x" * 501])
    def test_names_that_are_none(self, openbao, name):
        access = make_access(openbao, "t")

        with pytest.raises(NotReadable):
            vault.PROVIDER.writing_of(access).name(access, name)

    @pytest.mark.parametrize(
        "tags", [{"n" * 129: "x"}, {"n": "v" * 513}, {"n": ""}, {f"n{i}": "x" for i in range(65)}]
    )
    def test_tags_that_vault_would_refuse_are_refused_before(self, openbao, writer, tags):
        with pytest.raises(NotReadable):
            vault_writing.VERSION_2.check_tags(tags)
        with pytest.raises(errors.NotValid):
            writer.create(f"written/odd-tags-{abs(hash(str(tags)))}", "x", tags)


class TestPolicies:
    """The texts that the console hands out let in as far as they say, and no further."""

    def token(self, bao: Any, text: str, name: str) -> str:
        bao.ask("POST", f"sys/policies/acl/{name}", {"policy": text})
        return str(bao.token(name))

    @pytest.mark.parametrize("prefix", ["prod/shop/", "prod/shop/db-", ""])
    def test_reading(self, openbao, prefix):
        token = self.token(openbao, vault_policies.text(prefix=prefix), "least")
        access = make_access(openbao, token, prefix=prefix)
        manager = client_of(access)

        found = names_of(manager, prefix)
        probed = manager.probe(manager.page(prefix).entries)

        assert found == [name for name in openbao.names if name.startswith(prefix)] or prefix == ""
        assert {one.action: one.ok for one in probed if one.on} == {
            "read on secret/data/": True, "read on secret/metadata/": True,
        }  # fmt: skip
        openbao.ask("GET", f"secret/data/{found[0]}", token=token)
        if prefix:
            with pytest.raises(providers.PermissionMissing):
                manager.page("staging/")
            with pytest.raises(sandbox_vault.Refused):
                openbao.ask("GET", "secret/data/staging/db-password", token=token)

    @pytest.mark.parametrize(("mount", "version"), [("secret", "2"), ("kv", "1")])
    def test_writing(self, openbao, mount, version):
        text = vault_policies.text(mount, version, "least/", writes=True)
        access = make_access(
            openbao, self.token(openbao, text, "least-w"), mount=mount, version=version, prefix="least/"
        )
        manager = client_of(access)

        manager.create("least/one", "x", {"team": "shop"} if version == "2" else {})
        manager.put("least/one", "y")
        manager.delete("least/one")
        if version == "2":
            manager.restore("least/one")
            manager.delete("least/one")

        with pytest.raises(providers.PermissionMissing) as refusal:
            manager.create("other", CANARY, {})
        assert f"{mount}/" in refusal.value.permission
        assert CANARY not in refusal.value.policy + refusal.value.reason

    def test_a_denied_value_is_told_by_the_test_with_what_to_add(self, openbao):
        text = 'path "secret/metadata/*" { capabilities = ["list", "read"] }'
        access = make_access(openbao, self.token(openbao, text, "no-values"))

        result = trials.try_access(access)

        denied = {fact.label: fact.ok for fact in result.facts}
        assert denied["read on secret/data/"] is False
        assert 'path "secret/data/*"' in result.policy

    def test_odd_letters_of_a_prefix_stay_in_their_text(self):
        assert 'path "secret/data/a\\"b*"' in vault_policies.text(prefix='a"b')


class TestTokens:
    def test_its_end_is_told(self, openbao):
        lasting = trials.try_access(make_access(openbao, openbao.keys["reader"]["token"]))

        told = {fact.label: fact.text for fact in lasting.facts}
        assert "UTC. Nobody renews it." in told["Token's end"]
        assert "policies default, reader" in told["Sign in"]

    def test_one_that_has_ended_is_refused(self, openbao):
        access = make_access(openbao, openbao.token("reader", "1s"))
        time.sleep(1.2)

        result = trials.try_access(access)

        assert result.refused
        assert "has ended or was revoked" in result.reason
        assert result.about == "token"

    def test_a_batch_token_and_one_without_default_list_as_well(self, openbao):
        wanted = {"policies": ["reader"], "no_default_policy": True, "ttl": "1h"}
        token = openbao.ask("POST", "auth/token/create", wanted)["auth"]["client_token"]

        result = trials.try_access(make_access(openbao, token))

        assert result.listed
        assert result.facts[0].text == "The identity's name could not be read."

    def test_bare_refusals_of_a_known_token_are_about_the_policy(self, openbao, monkeypatch):
        """An older Vault says no more than that."""
        client = client_of(make_access(openbao, openbao.keys["reader"]["token"]))
        monkeypatch.setattr(client._api, "_code_of", lambda body: "token" if body else "")

        with pytest.raises(providers.PermissionMissing):
            client._ask("GET", "other/", "x", "read")


class TestPlaces:
    def test_a_namespace(self, openbao):
        fields = {"namespace": sandbox_vault.NAMESPACE, "version": "1"}

        found = names_of(trials.connect(make_access(openbao, openbao.token_of_namespace, **fields)))

        assert found == ["own/name"]

    def test_a_token_of_another_namespace(self, openbao):
        with pytest.raises(providers.PermissionMissing) as refusal:
            trials.connect(make_access(openbao, openbao.token_of_namespace)).page()

        assert "in this namespace" in refusal.value.remedy

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"namespace": "nobody"}, "no such namespace"),
            ({"mount": "nothing"}, "allows list on nothing/metadata/"),
            ({"mount": "cubbyhole", "version": "1"}, "of the kind cubbyhole, not KV"),
        ],
    )
    def test_a_wrong_place(self, openbao, fields, reason):
        result = trials.try_access(make_access(openbao, openbao.keys["reader"]["token"], **fields))

        assert reason in result.reason

    def test_a_root_engine_that_is_not_there_for_one_who_may_do_everything(self, openbao):
        openbao.ask(
            "POST", "sys/policies/acl/all", {"policy": 'path "*" { capabilities = ["read", "list"] }'}
        )

        with pytest.raises(providers.NotThere) as refusal:
            trials.connect(make_access(openbao, openbao.token("all"), mount="nothing")).page()

        assert "no secrets engine at this path" in refusal.value.reason

    def test_an_engine_in_a_folder(self, openbao):
        openbao.ask("POST", "sys/mounts/team/kv", {"type": "kv", "options": {"version": "1"}})
        openbao.ask("POST", "team/kv/db", {"value": "x"})
        openbao.ask("POST", "sys/policies/acl/team", {"policy": vault_policies.text("team/kv", "1")})

        access = make_access(openbao, openbao.token("team"), mount="team/kv", version="1")

        assert names_of(trials.connect(access)) == ["db"]


@pytest.fixture(scope="module")
def secured():
    """A server behind a certificate of its own authority."""
    with sandbox_vault.OpenBao(5, tls=True) as running:
        yield running


class TestTls:
    def test_a_private_authority(self, secured):
        access = make_access(secured, secured.keys["reader"]["token"])

        assert names_of(trials.connect(access)) == secured.names
        assert manifests.store(access)["spec"]["provider"]["vault"]["caBundle"]

    def test_without_it_the_certificate_is_not_trusted(self, secured):
        access = make_access(secured, secured.keys["reader"]["token"], ca="")

        with pytest.raises(providers.NotReachable) as refusal:
            trials.connect(access).page()

        assert "certificate of Vault is not trusted" in refusal.value.reason

    def test_the_operator_reads_by_the_bundle(self, secured):
        access = make_access(secured, secured.keys["reader"]["token"])
        with Cluster() as kube:
            kube.load(_in_cluster(access))
            name = secured.names[0]

            found = reading_vault.value(kube, manifests.store(access), {"key": name})

        assert json.loads(found) == secured.value(name)


def _in_cluster(access: Any) -> list[dict[str, Any]]:
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": access.cluster.operator_namespace},
    }
    return [namespace, *filter(None, [manifests.secret(access), manifests.service_account(access)])]


class TestOperator:
    """What plays the operator reads by the store's own fields."""

    @pytest.fixture
    def read(self, openbao):
        access = make_access(openbao, openbao.keys["reader"]["token"])
        with Cluster() as kube:
            kube.load(_in_cluster(access))
            store = manifests.store(access)
            yield lambda **reference: reading_vault.value(kube, store, reference)

    def test_a_field_by_its_very_name_then_by_a_path(self, openbao, read):
        data = {"a.b": "literal", "a": {"b": "path", "c": 5}, "n": 12345678}
        openbao.ask("POST", "secret/data/odd/fields", {"data": data})

        found = [read(key="odd/fields", property=wanted) for wanted in ("a.b", "a.c", "n")]

        assert found == ["literal", "5", "12345678"]

    def test_the_whole_a_version_and_the_engine_before_the_name(self, openbao, read):
        for text in ("first", "second"):
            openbao.ask("POST", "secret/data/odd/versions", {"data": {"value": text}})

        assert read(key="odd/versions") == '{"value":"second"}'
        assert read(key="odd/versions", version="1", property="value") == "first"
        assert read(key="secret/odd/versions", property="value") == "second"

    def test_what_is_missing(self, read):
        with pytest.raises(Missing):
            read(key="odd/never")
        with pytest.raises(Failed, match="cannot find secret data for key"):
            read(key="prod/db-password", property="never")

    def test_many_by_a_folder_and_by_custom_metadata(self, openbao):
        access = make_access(openbao, openbao.keys["reader"]["token"])
        with Cluster() as kube:
            kube.load(_in_cluster(access))
            store = manifests.store(access)
            below = reading_vault.find(kube, store, {"path": "prod/shop", "name": {"regexp": ".*"}})
            tagged = reading_vault.find(kube, store, {"tags": {"stage": "prod", "team": "shop"}})

        expected = [name for name in openbao.names if name.startswith("prod/shop/")]
        assert sorted(below) == expected
        assert set(expected) - {"prod/shop/database"} <= set(tagged) | {"prod/shop/database"}


class TestKubernetes:
    def test_the_cluster_tells_whose_a_token_is(self, vault_cluster, openbao):
        openbao.bind("picky", account="only-this-one", namespace="external-secrets")
        access = _by_kubernetes(openbao, vault_cluster, "picky")

        with pytest.raises(providers.TrustMissing) as refusal:
            trials.connect(access)

        assert access.service_account in refusal.value.policy
        assert "bound_service_account_namespaces=external-secrets" in refusal.value.policy

    @pytest.mark.parametrize(
        ("role", "audience", "path"),
        [
            ("reader", "somebody-else", "kubernetes"),
            ("nobody", "vault", "kubernetes"),
            ("reader", "vault", "nowhere"),
        ],
    )
    def test_what_is_entered_wrong(self, vault_cluster, openbao, role, audience, path):
        access = _by_kubernetes(openbao, vault_cluster, role, audience=audience, auth_path=path)

        result = trials.try_access(access)

        assert result.refused
        assert result.about == "role"
        assert "vault write auth/" in result.policy

    def test_an_auth_method_without_a_cluster(self, vault_cluster, openbao):
        openbao.ask("POST", "sys/auth/empty", {"type": "kubernetes"})
        openbao.bind("reader", path="empty")

        with pytest.raises(providers.TrustMissing) as refusal:
            trials.connect(_by_kubernetes(openbao, vault_cluster, "reader", auth_path="empty"))

        assert "knows no cluster yet" in refusal.value.reason
        openbao.ask("DELETE", "sys/auth/empty")


def _by_kubernetes(bao: Any, kube: Cluster, role: str, **fields: Any) -> Any:
    cluster = factories.make_cluster(kubeconfig=kube.kubeconfig())
    fields = {"auth_path": "kubernetes", "audience": "vault"} | fields
    access = make_access(bao, "", method="kubernetes", cluster=cluster, role=role, **fields)
    trials.ensure_service_account(access)
    return access


class TestSealed:
    def test_it_says_so_to_everybody(self):
        with sandbox_vault.OpenBao(3) as running:
            keys = running.keys["reader"]
            access = make_access(running, keys["token"])
            running.ask("POST", "sys/seal", {})

            by_token = trials.try_access(access)
            access.method, access.credential = "userpass", {"password": keys["password"]}
            access.configuration |= {"auth_path": "userpass", "username": "reader"}
            by_password = trials.try_access(access)

        assert by_token.reason == by_password.reason == "Vault is sealed."
        assert not by_token.refused


def _body_of(refusal: providers.Refusal) -> Any:
    """Return a body as Vault's, which stands for one refusal of the table."""
    if refusal.code == "token":
        return {"errors": ["permission denied"]}
    sign = next((sign for sign, code in vault_wire._SIGNS if code == refusal.code), "1 error occurred")
    return {"errors": [f"error: {sign.title()}"]}


class TestRefusals:
    @pytest.mark.parametrize("table", ["REFUSALS", "LOGIN", "CLUSTER"])
    def test_each_of_the_table_is_told_in_our_words(self, table):
        rows = getattr(vault_wire, table)
        access = factories.make_access(configuration={"address": "https://vault.example.com"})
        api = vault_wire.api(access, rows)

        for row in rows:
            told = api.refused(row.status, _body_of(row), "list on x", "policy")
            assert type(told) is row.error
            assert told.reason == row.reason.replace("{permission}", "list on x")
            assert told.remedy

    @pytest.mark.parametrize(
        "body", [None, [], "x", {"errors": None}, {"errors": [None, 5]}, {"warnings": [{}]}]
    )
    def test_odd_bodies(self, body):
        access = factories.make_access(configuration={"address": "https://vault.example.com"})

        told = vault_wire.api(access, vault_wire.REFUSALS).refused(403, body, "list on x")

        assert isinstance(told, providers.PermissionMissing)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            [],
            {"data": None},
            {"data": {"keys": "abc"}},
            {"data": {"keys": [{}, None, "..", "a/b", "//", "\x00"]}},
        ],
    )
    def test_odd_lists_bring_no_odd_names(self, reader, monkeypatch, body):
        answer = vault_client.Answer(200, body, {})
        monkeypatch.setattr(reader._api, "ask", lambda *args, **more: answer)

        try:
            names = [entry.name for entry in reader.page().entries]
        except providers.NotReachable:
            names = []

        assert not {"..", "a/b", "//", "\x00"} & set(names)


class TestForms:
    PLACE = {"address": "https://vault.example.com:8200/", "mount": "/secret/", "version": "2"}

    @pytest.mark.parametrize(
        ("form", "data", "field"),
        [
            (TokenForm, {"token": "two words"}, "token"),
            (TokenForm, {}, "token"),
            (TokenForm, {"token": "t", "mount": "a//b"}, "mount"),
            (TokenForm, {"token": "t", "mount": "/"}, "mount"),
            (TokenForm, {"token": "t", "namespace": "../x"}, "namespace"),
            (TokenForm, {"token": "t", "version": "3"}, "version"),
            (TokenForm, {"token": "t", "ca": "not PEM"}, "ca"),
            (TokenForm, {"token": "t", "address": "http://169.254.169.254"}, "address"),
            (UserpassForm, {"username": "a/b", "password": "p"}, "username"),
            (UserpassForm, {"username": "a", "password": "p", "auth_path": "a b"}, "auth_path"),
            (AppRoleForm, {"role_id": "x", "secret_id": "y z"}, "secret_id"),
            (KubernetesForm, {"role": "a b"}, "role"),
            (KubernetesForm, {"role": "a", "audience": "two words"}, "audience"),
        ],
    )
    def test_what_is_wrong_is_said_at_its_field(self, form, data, field):
        assert list(form(self.PLACE | data).errors) == [field]

    def test_what_is_usual_is_filled_in(self):
        form = KubernetesForm(self.PLACE | {"role": "r", "namespace": "/team-a/"})

        assert form.is_valid(), form.errors
        assert form.configuration() == {
            "address": "https://vault.example.com:8200", "namespace": "team-a", "mount": "secret", "version": "2",
            "ca": "", "auth_path": "kubernetes", "role": "r", "audience": "vault",
        }  # fmt: skip

    def test_a_password_keeps_its_spaces(self):
        form = UserpassForm(self.PLACE | {"username": "Bob", "password": " p "})

        assert form.is_valid(), form.errors
        assert form.credential(None) == {"password": " p "}
        assert form.configuration()["username"] == "bob"


class TestReferences:
    def read(self, text: str) -> Any:
        return vault_references.VERSION_2.read(text)

    def test_a_path_with_a_field_and_a_link_of_vault(self):
        assert (self.read("/prod/db#a.b").key, self.read("/prod/db#a.b").json_field) == ("prod/db", "a.b")
        found = self.read("https://vault.example.com/ui/vault/secrets/secret/kv/prod%2Fdb/details?version=1")
        assert (found.key, found.account) == ("prod/db", "secret")

    @pytest.mark.parametrize("text", ["a//b", "../x", "https://vault.example.com/ui/", "#x", "x" * 501])
    def test_what_is_none(self, text):
        with pytest.raises(NotReadable):
            self.read(text)

    def test_what_to_know(self, openbao):
        access = make_access(openbao, "t")
        check = vault_references.VERSION_2.check

        assert [note.title for note in check(access, self.read("prod/db"), {})] == [
            "All of its fields arrive as one JSON text"
        ]
        assert check(access, self.read("prod/db#password"), {}) == []
        assert [note.title for note in check(access, self.read("secret/db#x"), {})] == ["It is read as db"]
        with pytest.raises(NotReadable, match="in the engine other"):
            check(access, self.read("https://v.example.com/ui/vault/secrets/other/kv/db"), {})


@pytest.mark.parametrize(
    ("method", "auth"),
    [
        ("token", {"tokenSecretRef": {"name": "NAME", "namespace": "external-secrets", "key": "token"}}),
        ("userpass", {"userPass": {
            "path": "userpass", "username": "bob",
            "secretRef": {"name": "NAME", "namespace": "external-secrets", "key": "password"}}}),
        ("approle", {"appRole": {
            "path": "userpass",
            "roleRef": {"name": "NAME", "namespace": "external-secrets", "key": "role-id"},
            "secretRef": {"name": "NAME", "namespace": "external-secrets", "key": "secret-id"}}}),
        ("kubernetes", {"kubernetes": {
            "mountPath": "userpass", "role": "r",
            "serviceAccountRef": {"name": "ACCOUNT", "namespace": "external-secrets", "audiences": ["vault"]}}}),
    ],
)  # fmt: skip
def test_the_store_of_each_method(method, auth):
    configuration = {
        "address": "https://v:8200", "namespace": "team-a", "mount": "team/kv", "version": "1", "ca": "",
        "auth_path": "userpass", "username": "bob", "role": "r", "audience": "vault",
    }  # fmt: skip
    access = factories.make_access(
        provider="vault", method=method, credential={}, configuration=configuration
    )

    spec = json.dumps(manifests.store(access)["spec"]["provider"]["vault"])

    expected = json.dumps(auth).replace("NAME", access.store_name).replace("ACCOUNT", access.service_account)
    assert json.loads(spec) == {
        "server": "https://v:8200", "path": "team/kv", "version": "v1", "namespace": "team-a", "auth": json.loads(expected),
    }  # fmt: skip


@pytest.mark.parametrize("method", ["token", "userpass", "approle", "kubernetes"])
def test_all_that_can_be_set_satisfies_the_operators_schema(secured, shared, tmp_path, method):
    fields = {"auth_path": "a/b", "username": "bob", "role": "r", "audience": "vault", "namespace": "team-a"}
    access = make_access(secured, "t", method=method, **fields)
    access.credential = dict.fromkeys(vault.PROVIDER.method(method).form.secret_names(), "x")
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(filter(None, [manifests.store(access), manifests.secret(access)])))

    checked = subprocess.run(
        [sys.executable, str(shared / "tools" / "validate_manifests.py"), str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert manifests.store(access)["spec"]["provider"]["vault"].keys() >= {"namespace", "caBundle"}


@pytest.mark.parametrize("method", ["token", "userpass", "approle", "kubernetes"])
def test_the_cards_say_what_to_do(method):
    access = factories.make_access(provider="vault", method=method, configuration={})

    shown = cards.context(access)

    assert 'path "secret/metadata/*"' in shown["policy"]
    assert shown["enable"].startswith("vault auth enable -path=")
    assert access.service_account in shown["role"]
