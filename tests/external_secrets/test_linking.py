"""Linking a name to a variable of a service, and removing a link."""

import pytest
from django.db import IntegrityError, transaction

from accounts.models import AuditEvent
from clusters.models import Cluster
from external_secrets import clashes, services
from external_secrets.models import ExternalSecret, InventoryState
from tests import factories
from tests.external_secrets.manager import ACCOUNT, refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def filled(service, access, fill):
    """Return the fields of a form that is right."""
    fill("prod/db-password")
    return {
        "access": str(access.pk),
        "key": "prod/db-password",
        "place": f"{service.pk}:web",
        "variable": "DB_PASSWORD",
        "json_field": "",
        "version_stage": "",
        "refresh_seconds": "3600",
    }


@pytest.fixture
def post(sign_in, devops, url):
    client = sign_in(devops)
    return lambda fields, **headers: client.post(url("link"), fields, headers=headers)


def error_of(response, field):
    assert response.status_code == 422
    assert not ExternalSecret.objects.exists()
    return " ".join(response.context["form"].errors[field])


class TestTheForm:
    def test_it_derives_the_variable_and_takes_the_chosen_service(
        self, sign_in, devops, url, access, service, fill
    ):
        fill("prod/db-password")

        response = sign_in(devops).get(
            url("link"), {"access": access.pk, "key": "prod/db-password", "service": service.pk}
        )

        text = response.content.decode()
        assert 'value="DB_PASSWORD"' in text
        assert f'<option value="{service.pk}:web" selected>' in text
        assert 'value="prod/db-password"' in text

    def test_a_reference_suggests_its_names_variable(self, sign_in, devops, url, access, fill):
        fill("prod/db-key")

        response = sign_in(devops).get(
            url("link"), {"access": access.pk, "key": f"{ACCOUNT}prod/db-key-AbCdEf"}
        )

        assert response.context["form"]["variable"].value() == "DB_KEY"

    def test_several_containers_are_several_choices(self, sign_in, devops, url, cluster, access, fill):
        fill("a")
        containers = [{"name": name, "image": "x", "env": [], "mounts": []} for name in ("web", "proxy")]
        pair = factories.make_service(cluster=cluster, name="pair", containers=containers)

        text = sign_in(devops).get(url("link"), {"access": access.pk, "key": "a"}).content.decode()

        assert f'value="{pair.pk}:web"' in text
        assert f'value="{pair.pk}:proxy"' in text
        assert "pair, container proxy" in text

    def test_services_that_may_not_use_the_access_are_shown_with_the_reason(
        self, sign_in, devops, url, cluster, access, service, fill
    ):
        fill("a")
        closed = factories.make_service(cluster=cluster, namespace="jobs", name="worker")
        elsewhere = factories.make_service(cluster=factories.make_cluster(organization=cluster.organization))

        text = sign_in(devops).get(url("link"), {"access": access.pk, "key": "a"}).content.decode()

        assert f'<option value="{closed.pk}:web" disabled>' in text
        assert "aws is not open to the namespace jobs" in text
        assert str(elsewhere.pk) not in text

    def test_without_an_access_it_leads_to_the_names(self, sign_in, devops, url, service):
        response = sign_in(devops).get(url("link"), {"service": service.pk})

        assert response.headers["Location"].endswith(f"/secrets/?service={service.pk}")

    def test_a_name_that_cannot_be_checked_is_warned_of(self, sign_in, devops, url, access, manager):
        InventoryState.objects.create(access=access, cause="refused", error="May not list.")

        text = sign_in(devops).get(url("link"), {"access": access.pk, "key": "x"}).content.decode()

        assert "Keyhaven cannot check this name" in text
        assert "May not list." in text


class TestSaving:
    def test_a_link_an_event_and_a_new_generation(self, post, filled, service, devops, cluster):
        before = cluster.generation

        response = post(filled)

        link = ExternalSecret.objects.get()
        assert (link.key, link.variable, link.container) == ("prod/db-password", "DB_PASSWORD", "web")
        assert (link.refresh_seconds, link.status) == (3600, "never deployed")
        assert response.headers["Location"].endswith(f"/clusters/prod/services/{service.pk}/")
        event = AuditEvent.objects.get(action="external_secret.linked")
        assert (event.actor_id, event.target_id) == (str(devops.pk), str(link.pk))
        assert event.details["key"] == "prod/db-password"
        assert Cluster.objects.get().generation == before + 1

    def test_after_it_the_page_says_so_and_offers_the_deploy(self, sign_in, devops, post, filled):
        response = sign_in(devops).get(post(filled).headers["Location"])

        text = response.content.decode()
        assert "DB_PASSWORD is linked" in text
        assert 'id="deploy-banner"' in text
        assert "Deploy prod" in text

    def test_htmx_is_sent_on(self, post, filled):
        response = post(filled, **{"HX-Request": "true"})

        assert "/services/" in response.headers["HX-Redirect"]

    def test_field_version_and_refresh(self, post, filled):
        post(filled | {"json_field": "db.password", "version_stage": "AWSPREVIOUS", "refresh_seconds": "300"})

        link = ExternalSecret.objects.get()
        assert (link.json_field, link.version, link.refresh_seconds) == ("db.password", "AWSPREVIOUS", 300)

    def test_an_audit_log_that_cannot_be_written_stops_the_link(
        self, filled, service, access, devops, monkeypatch
    ):
        def broken(**_):
            raise RuntimeError

        monkeypatch.setattr(services.audit, "record", broken)
        values = {"key": "x", "variable": "X"}

        with pytest.raises(RuntimeError):
            services.link(access=access, place=services.Place.of(service, "web"), by=devops, values=values)

        assert not ExternalSecret.objects.exists()

    def test_a_service_of_another_cluster_is_refused_below_the_form_too(self, access, devops):
        values = {"key": "x", "variable": "X"}

        with pytest.raises(services.NotAllowed):
            services.link(
                access=access,
                place=services.Place.of(factories.make_service(), "web"),
                by=devops,
                values=values,
            )


class TestRefusals:
    def test_every_value_stays(self, post, filled):
        response = post(filled | {"variable": "1BAD", "json_field": "a.b", "version_stage": "AWSPENDING"})

        form = response.context["form"]
        assert "1BAD is not a legal name" in error_of(response, "variable")
        assert [form[name].value() for name in ("key", "json_field", "version_stage")] == [
            "prod/db-password", "a.b", "AWSPENDING",
        ]  # fmt: skip
        assert f'<option value="{filled["place"]}" selected>' in response.content.decode()

    @pytest.mark.parametrize("variable", ["", "A B", "a-b", "é", "A=B", "x" * 201, "A\x00"])
    def test_illegal_variables(self, post, filled, variable):
        assert error_of(post(filled | {"variable": variable}), "variable")

    def test_a_variable_that_the_container_has(self, post, filled):
        assert "already has LOG_LEVEL, from value" in error_of(
            post(filled | {"variable": "LOG_LEVEL"}), "variable"
        )
        assert "secret legacy/api-key" in error_of(post(filled | {"variable": "API_KEY"}), "variable")

    def test_a_variable_that_is_linked_already(self, post, filled, service, access):
        factories.make_link(service=service, access=access, key="prod/other", variable="DB_PASSWORD")

        response = post(filled)

        assert response.status_code == 422
        assert "prod/other, which is linked already" in response.content.decode()

    def test_two_people_at_once(self, post, filled, service, access, monkeypatch):
        """The second one passes every check before the first one is saved; the database decides."""
        factories.make_link(service=service, access=access, variable="DB_PASSWORD")
        monkeypatch.setattr(clashes.Around, "find", lambda *_: [])

        response = post(filled)

        assert response.status_code == 422
        assert "another link, made a moment ago" in response.content.decode()
        assert ExternalSecret.objects.count() == 1

    def test_what_an_unlinked_one_of_ours_left_is_no_clash(self, post, filled, service):
        service.containers[0]["env"] = [
            {"name": "DB_PASSWORD", "source": "secret db-password-1a2b3c4d/DB_PASSWORD"}
        ]
        service.save()

        assert post(filled).status_code == 302

    @pytest.mark.parametrize(
        "source",
        [
            "secret db-password-1a2b3c4d/OTHER",
            "secret db-password/DB_PASSWORD",
            "secret x-1a2b3c4d/DB_PASSWORD",
        ],
    )
    def test_what_only_looks_like_ours_is_one(self, post, filled, service, source):
        service.containers[0]["env"] = [{"name": "DB_PASSWORD", "source": source}]
        service.save()

        assert source in error_of(post(filled), "variable")

    def test_a_name_that_is_not_in_a_whole_inventory(self, post, filled):
        response = post(filled | {"key": "prod/nope"})

        assert "There is no secret named prod/nope in aws (read just now)." in error_of(response, "key")
        assert "Read the names again" in response.content.decode()

    def test_a_name_that_cannot_be_checked_is_allowed(self, post, filled, manager):
        InventoryState.objects.update(cause="refused", error="May not list.")

        assert post(filled | {"key": "prod/nope"}).status_code == 302

    def test_a_name_that_the_manager_will_not_list_is_allowed(self, post, filled, manager):
        InventoryState.objects.all().delete()
        manager.error = refused()

        assert post(filled | {"key": "prod/nope"}).status_code == 302

    def test_a_namespace_that_the_access_does_not_open(self, post, filled, cluster):
        closed = factories.make_service(cluster=cluster, namespace="jobs")

        response = post(filled | {"place": f"{closed.pk}:web"})

        assert "aws is not open to the namespace jobs" in error_of(response, "place")

    def test_a_service_of_another_cluster_or_organization(self, post, filled, organization):
        beside = factories.make_service(cluster=factories.make_cluster(organization=organization))
        theirs = factories.make_service()

        for other in (beside, theirs):
            assert "not on the cluster" in error_of(post(filled | {"place": f"{other.pk}:web"}), "place")

    @pytest.mark.parametrize("place", ["", "nonsense", ":", "{service}:nope", "{service}"])
    def test_places_that_are_none(self, post, filled, service, place):
        assert error_of(post(filled | {"place": place.replace("{service}", str(service.pk))}), "place")

    @pytest.mark.parametrize("refresh", ["1", "0", "abc", "-300"])
    def test_intervals_that_are_not_offered(self, post, filled, refresh):
        assert error_of(post(filled | {"refresh_seconds": refresh}), "refresh_seconds")

    def test_a_version_id_has_a_length(self, post, filled):
        assert error_of(post(filled | {"version_id": "12"}), "version_id")

    def test_an_empty_post_of_htmx(self, post, access):
        response = post({"access": access.pk}, **{"HX-Request": "true"})

        assert response.status_code == 422
        assert "Enter the name of a secret." in response.content.decode()

    def test_another_organizations_access_is_not_found(self, post, filled):
        assert post(filled | {"access": str(factories.make_access().pk)}).status_code == 404

    def test_a_viewer_may_not(self, sign_in, viewer, url, filled):
        assert sign_in(viewer).post(url("link"), filled).status_code == 403


class TestUnlinking:
    @pytest.fixture
    def link(self, service, access):
        return factories.make_link(service=service, access=access, key="prod/db", variable="DB")

    def test_the_page_says_what_is_lost(self, sign_in, devops, url, link):
        text = sign_in(devops).get(url("unlink", link=link.pk)).content.decode()

        assert "loses the variable <code>DB</code>" in text
        assert link.object_name in text
        assert ExternalSecret.objects.exists()

    def test_it_is_gone_told_and_counted(self, sign_in, devops, url, link, service, cluster):
        response = sign_in(devops).post(url("unlink", link=link.pk))

        assert not ExternalSecret.objects.exists()
        assert response.headers["Location"].endswith(f"/services/{service.pk}/")
        event = AuditEvent.objects.get(action="external_secret.unlinked")
        assert (event.details["key"], event.target_id) == ("prod/db", str(link.pk))
        assert Cluster.objects.get().generation == cluster.generation + 1

    def test_another_organizations_link_is_not_found(self, sign_in, devops, url):
        theirs = factories.make_link()

        assert sign_in(devops).post(url("unlink", link=theirs.pk)).status_code == 404
        assert ExternalSecret.objects.exists()

    def test_a_viewer_may_not(self, sign_in, viewer, url, link):
        assert sign_in(viewer).post(url("unlink", link=link.pk)).status_code == 403
        assert ExternalSecret.objects.exists()


def test_the_database_keeps_a_variable_unique(service, access):
    factories.make_link(service=service, access=access, variable="A")

    with pytest.raises(IntegrityError), transaction.atomic():
        factories.make_link(service=service, access=access, variable="A")
