"""The page of a link: files, namespaces, other names, what will happen; the page that changes one."""

import pytest

from external_secrets.models import ExternalSecret
from tests import factories

pytestmark = pytest.mark.django_db

HOSTILE = [
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "a'b\"c",
    "😀" * 20,
    "x" * 512,
    "1st",
    "a\nb",
    "{{ 7 }}",
]


@pytest.fixture
def person(sign_in, devops):
    return sign_in(devops)


@pytest.fixture
def filled(service, access, fill):
    """Return the fields of a form that is right."""
    fill("prod/db")
    return {
        "access": str(access.pk),
        "takes": "value",
        "key": "prod/db",
        "scope": "service",
        "place": f"{service.pk}:web",
        "target": "variable",
        "variable": "DB",
        "refresh_seconds": "3600",
    }


@pytest.fixture
def post(person, url):
    return lambda fields, query="": person.post(url("link") + query, fields)


def errors(response, field):
    assert response.status_code == 422
    return " ".join(response.context["form"].errors.get(field, []))


class TestTargets:
    def test_a_file_has_a_path_by_default(self, post, filled):
        post(filled | {"target": "file", "variable": "IGNORED"})

        link = ExternalSecret.objects.get()
        assert (link.target, link.path, link.variable, link.mount) == (
            "file", "/vault/secrets/db", "", "directory",
        )  # fmt: skip

    def test_a_variable_with_the_path_of_a_file(self, post, filled):
        post(
            filled
            | {
                "target": "both",
                "variable": "DB_FILE",
                "path": "/etc/db.json",
                "mount": "file",
                "file_mode": "256",
            }
        )

        link = ExternalSecret.objects.get()
        assert (link.target, link.path, link.variable, link.mount, link.file_mode) == (
            "both", "/etc/db.json", "DB_FILE", "file", 0o400,
        )  # fmt: skip

    @pytest.mark.parametrize("path", ["db.json", "/etc/db.json", "/a/../b", "/proc/x"])
    def test_a_path_that_cannot_be_stays_in_its_field(self, post, filled, path):
        response = post(filled | {"target": "file", "path": path})

        assert errors(response, "path")
        assert f'value="{path}"' in response.content.decode()
        assert not ExternalSecret.objects.exists()

    def test_a_path_that_is_mounted_already(self, post, filled, service):
        service.containers[0]["mounts"] = [{"path": "/vault/secrets", "source": "secret other"}]
        service.save()

        assert "already has something mounted" in errors(post(filled | {"target": "file"}), "path")

    def test_several_may_have_no_beginning_of_their_names(self, post, filled):
        post(filled | {"takes": "keys", "variable": ""})

        link = ExternalSecret.objects.get()
        assert (link.takes, link.variable) == ("keys", "")

    def test_several_files_go_beside_the_directory_of_single_ones(self, post, filled):
        post(filled | {"target": "file"})
        one = ExternalSecret.objects.get()

        post(filled | {"takes": "keys", "target": "file", "path": one.path})

        several = ExternalSecret.objects.exclude(pk=one.pk).get()
        assert (several.path, one.path.rpartition("/")[0]) == (
            f"/vault/secrets-{one.path.rpartition('/')[2]}",
            "/vault/secrets",
        )

    def test_every_container(self, post, filled, service):
        service.containers.append({"name": "proxy", "image": "x", "env": [], "mounts": []})
        service.save()

        post(filled | {"place": f"{service.pk}:*"})

        assert ExternalSecret.objects.get().container == ""

    def test_what_happens_when_it_is_gone_and_a_restart(self, post, filled):
        post(filled | {"when_gone": "Delete", "restart_on_change": "on"})

        link = ExternalSecret.objects.get()
        assert (link.when_gone, link.restart_on_change) == ("Delete", True)


class TestNamespaces:
    def test_a_namespace_is_a_place(self, post, filled):
        response = post(filled | {"scope": "namespace", "place": "", "namespace": "shop"})

        link = ExternalSecret.objects.get()
        assert (link.service, link.namespace, link.container) == (None, "shop", "")
        assert response.headers["Location"].endswith("/clusters/prod/namespaces/shop/")

    @pytest.mark.parametrize(("namespace", "words"), [("", "Choose the namespace"), ("jobs", "not open to")])
    def test_one_that_is_shut_or_missing(self, post, filled, namespace, words):
        assert words in errors(post(filled | {"scope": "namespace", "namespace": namespace}), "namespace")


class TestWhatWillHappen:
    def test_it_is_a_sentence_with_its_cost_and_makes_nothing(self, post, filled):
        response = post(filled | {"json_field": "password", "variable": "DB_PASSWORD"}, "?preview=1")

        text = " ".join(response.content.decode().split())
        assert (
            "The container web of shop/api gets DB_PASSWORD from field password of prod/db, read about every hour."
            in text
        )
        assert "720 calls a month" in text
        assert "<html" not in text
        assert not ExternalSecret.objects.exists()

    def test_what_is_missing_is_no_error_yet(self, post, filled):
        response = post(filled | {"place": ""}, "?preview=1")

        assert response.status_code == 200
        assert "once the form is filled in" in response.content.decode()

    def test_a_wider_link_of_the_same_name_is_told(self, post, filled, access):
        factories.make_link(
            service=None, namespace="shop", container="", access=access, variable="DB", key="wide"
        )

        text = post(filled, "?preview=1").content.decode()

        assert "The link of wide to namespace shop gives DB too; this one wins here." in text


class TestEditing:
    @pytest.fixture
    def link(self, service, access, fill):
        fill("prod/other")
        return factories.make_link(service=service, access=access, key="prod/db", variable="DB")

    @pytest.fixture
    def edit(self, person, url, link, filled):
        def act(**fields):
            seen = {"seen": link.updated_at.isoformat()}
            return person.post(url("edit", link=link.pk), filled | seen | fields)

        return act

    def test_the_form_has_what_is_there(self, person, url, link, service):
        text = person.get(url("edit", link=link.pk)).content.decode()

        assert 'value="prod/db"' in text
        assert f'<option value="{service.pk}:web" selected>' in text
        assert "The container web of shop/api gets DB from prod/db" in " ".join(text.split())

    def test_everything_can_change(self, edit, link, cluster):
        other = factories.make_service(cluster=cluster, name="worker")

        response = edit(key="prod/other", variable="OTHER", place=f"{other.pk}:web", refresh_seconds="900")

        link.refresh_from_db()
        assert (link.key, link.variable, link.service, link.refresh_seconds) == (
            "prod/other", "OTHER", other, 900,
        )  # fmt: skip
        assert str(other.pk) in response.headers["Location"]

    def test_the_second_of_two_editors_sees_what_it_is_now(self, edit, link):
        edit(variable="FIRST")

        response = edit(variable="SECOND")

        assert response.status_code == 422
        assert "Somebody changed this link while you were here" in response.content.decode()
        assert 'value="SECOND"' in response.content.decode()
        link.refresh_from_db()
        assert link.variable == "FIRST"
        assert link.updated_at.isoformat() in response.content.decode()

    def test_sending_it_once_more_replaces_it(self, edit, link):
        edit(variable="FIRST")
        link.refresh_from_db()

        edit(variable="SECOND", seen=link.updated_at.isoformat())

        link.refresh_from_db()
        assert link.variable == "SECOND"

    def test_a_name_that_vanished_stays_editable(self, edit, link):
        ExternalSecret.objects.update(key="prod/vanished")
        link.refresh_from_db()

        assert edit(key="prod/vanished", variable="X", seen=link.updated_at.isoformat()).status_code == 302
        link.refresh_from_db()
        assert "no secret named" in errors(edit(key="prod/nope", seen=link.updated_at.isoformat()), "key")

    def test_an_interval_of_somebody_else_is_kept(self, person, url, link):
        ExternalSecret.objects.update(refresh_seconds=1234)

        text = person.get(url("edit", link=link.pk)).content.decode()

        assert '<option value="1234" selected>1234 seconds</option>' in text

    def test_another_organizations_link_is_not_found(self, sign_in, outsider, url, link):
        assert sign_in(outsider).get(url("edit", link=link.pk)).status_code == 404


class TestAliases:
    @pytest.fixture
    def original(self, service, access):
        return factories.make_link(service=service, access=access, key="prod/db", variable="DB")

    def test_the_form_asks_for_a_name_and_a_place_only(self, person, url, original):
        text = person.get(url("link"), {"alias_of": original.pk}).content.decode()

        assert "Another name for DB" in text
        assert 'name="key"' not in text
        assert 'name="refresh_seconds"' not in text

    def test_it_is_made_and_says_that_it_costs_nothing(self, person, url, original, filled):
        fields = filled | {"alias_of": original.pk, "variable": "PGPASSWORD"}
        preview = person.post(url("link") + "?preview=1", fields).content.decode()
        person.post(url("link"), fields)

        alias = ExternalSecret.objects.get(variable="PGPASSWORD")
        assert (alias.alias_of, alias.key) == (original, "prod/db")
        assert "No calls of its own" in preview

    def test_its_own_page_changes_its_name(self, person, url, original, service, access, filled):
        alias = factories.make_link(
            service=service, access=access, key="prod/db", variable="A", alias_of=original
        )

        person.post(
            url("edit", link=alias.pk), filled | {"variable": "B", "seen": alias.updated_at.isoformat()}
        )

        alias.refresh_from_db()
        assert (alias.variable, alias.alias_of, alias.key) == ("B", original, "prod/db")

    def test_unlinking_names_them_and_every_service(self, person, url, original, service, access, cluster):
        factories.make_link(
            service=None, namespace="shop", container="", access=access, variable="WIDE", alias_of=original
        )
        factories.make_service(cluster=cluster, name="worker")

        text = person.get(url("unlink", link=original.pk)).content.decode()

        assert "<code>WIDE</code> of namespace shop" in text
        assert "2 services will lose something" in text
        assert "shop/worker" in text


class TestHostileNames:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_no_name_breaks_a_page(self, person, url, service, access, name):
        link = factories.make_link(
            service=service, access=access, key=name, variable="A", json_field=name[:300]
        )
        asked = [
            person.get(url("link"), {"access": access.pk, "key": name}),
            person.get(url("edit", link=link.pk)),
            person.get(url("unlink", link=link.pk)),
            person.get(url("link"), {"alias_of": link.pk}),
            person.get(url("bulk"), {"access": access.pk, "key": [name, name]}),
            person.get(url("service", cluster="prod", service=service.pk)),
        ]

        assert [response.status_code for response in asked] == [200] * 6
        assert all("<script>alert" not in response.content.decode() for response in asked)
