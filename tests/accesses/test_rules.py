"""The rules of identity hold on the server, over both AWS managers together, whoever comes first or at the same time."""

import threading
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accesses import services, situations
from accesses.models import Access, AccessDraft
from accesses.wanted import Values
from clusters.models import Cluster
from tests import factories

ISSUER = "https://oidc.eks.eu-west-3.amazonaws.com/id/ABC"
SM, PS = "aws-secrets-manager", "aws-parameter-store"
CONFIGURATION = {
    "automatic": {"region": "eu-west-3", "scope": "all", "prefixes": "", "kms_keys": ""},
    "role": {"region": "eu-west-3", "role_arn": "arn:aws:iam::123456789012:role/x"},
    "static": {"region": "eu-west-3"},
}


def make_cluster(organization: Any) -> Cluster:
    credential = factories.make_cloud_credential(organization=organization)
    return factories.make_cluster(
        organization=organization, kind="eks", account="123456789012", issuer=ISSUER, credential=credential
    )


def make_draft(cluster: Cluster, by: Any, provider: str, method: str, name: str) -> AccessDraft:
    """Return a draft that was tested well."""
    return AccessDraft.objects.create(
        cluster=cluster, by=by, provider=provider, method=method, name=name, namespaces=["shop"],
        configuration=CONFIGURATION[method], tested_at=timezone.now(),
        result={"facts": [], "usable": True, "listed": True, "untried": False, "reason": "", "remedy": ""},
        credential={"access_key_id": "A" * 20, "secret_access_key": "s" * 40} if method == "static" else None,
    )  # fmt: skip


@pytest.fixture
def cluster(organization):
    return make_cluster(organization)


@pytest.mark.django_db
@pytest.mark.parametrize("first", [SM, PS])
@pytest.mark.parametrize("second", [SM, PS])
@pytest.mark.parametrize(("one", "other"), [("automatic", "role"), ("role", "automatic")])
def test_automatic_and_role_exclude_each_other_in_any_order(cluster, devops, first, second, one, other):
    services.create(draft=make_draft(cluster, devops, first, one, "first"), by=devops)

    with pytest.raises(situations.NotPossible, match="on one cluster the two exclude each other"):
        services.create(draft=make_draft(cluster, devops, second, other, "second"), by=devops)

    assert [access.name for access in Access.objects.all()] == ["first"]
    assert AccessDraft.objects.filter(name="second").exists(), "what was entered stays"


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["automatic", "role"])
def test_of_the_chosen_one_there_may_be_several_and_static_always(cluster, devops, method):
    for number, (provider, how) in enumerate([(SM, method), (PS, method), (SM, method), (PS, "static")]):
        services.create(draft=make_draft(cluster, devops, provider, how, f"access-{number}"), by=devops)

    assert Access.objects.count() == 4


@pytest.mark.django_db
def test_another_cluster_is_free_to_choose(cluster, devops, organization):
    services.create(draft=make_draft(cluster, devops, SM, "role", "one"), by=devops)

    services.create(draft=make_draft(make_cluster(organization), devops, SM, "automatic", "one"), by=devops)

    assert Access.objects.count() == 2


def change(access: Access, by: Any, **values: Any) -> bool:
    wanted = {
        "method": access.method, "configuration": access.configuration, "credential": access.credential or {},
        "namespaces": access.namespaces, "cloud_credential": access.cloud_credential,
    } | values  # fmt: skip
    return services.change(
        access=access, values=Values(**wanted), result=None, seen_version=access.version, by=by
    )


@pytest.mark.django_db
def test_a_cloud_credential_that_is_deleted_after_the_test_leaves_nothing_to_save(
    cluster, devops, organization
):
    draft = make_draft(cluster, devops, SM, "static", "one")
    draft.credential = {}
    draft.cloud_credential = factories.make_cloud_credential(organization=organization)
    draft.save()
    draft.cloud_credential.delete()

    with pytest.raises(services.NotUsable, match="cloud credential that was tested is gone"):
        services.create(draft=draft, by=devops)

    assert not Access.objects.exists()


@pytest.mark.django_db
class TestEditing:
    def test_does_not_stand_in_its_own_way(self, cluster, devops):
        access = services.create(draft=make_draft(cluster, devops, SM, "role", "one"), by=devops)

        assert change(access, devops, method="automatic", configuration=CONFIGURATION["automatic"])

    def test_keeps_the_rule(self, cluster, devops):
        services.create(draft=make_draft(cluster, devops, SM, "role", "one"), by=devops)
        static = services.create(draft=make_draft(cluster, devops, PS, "static", "two"), by=devops)

        with pytest.raises(situations.NotPossible):
            change(static, devops, method="automatic", configuration=CONFIGURATION["automatic"])

        static.refresh_from_db()
        assert static.method == "static"

    def test_something_else_goes_on_while_the_method_stays(self, cluster, devops):
        access = services.create(draft=make_draft(cluster, devops, SM, "automatic", "one"), by=devops)
        Cluster.objects.update(credential=None)

        assert change(access, devops, namespaces=["shop", "jobs"])

    def test_a_dropped_credential_does_not_stay_behind(self, cluster, devops):
        access = factories.make_access(cluster=cluster)

        change(access, devops, method="role", configuration=CONFIGURATION["role"], credential={})

        access.refresh_from_db()
        assert access.credential == {}


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_moment_one_is_refused():
    organization = factories.make_organization()
    devops = factories.make_member(organization, "devops")
    for _ in range(8):
        cluster = make_cluster(organization)
        drafts = [
            make_draft(cluster, devops, SM, "automatic", "one"), make_draft(cluster, devops, PS, "role", "two"),
        ]  # fmt: skip
        gate, ends = threading.Barrier(2), []

        def act(draft: AccessDraft, gate: threading.Barrier = gate, ends: list[str] = ends) -> None:
            try:
                gate.wait(timeout=10)
                services.create(draft=draft, by=devops)
                ends.append("made")
            except situations.NotPossible:
                ends.append("refused")
            finally:
                connection.close()

        threads = [threading.Thread(target=act, args=(draft,)) for draft in drafts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(ends) == ["made", "refused"]
        assert cluster.accesses.count() == 1


@pytest.mark.django_db
def test_one_that_is_not_possible_any_more_cannot_be_saved_and_the_page_says_so(cluster, devops, sign_in):
    draft = make_draft(cluster, devops, SM, "role", "late")
    factories.make_access(
        cluster=cluster, name="early", method="automatic", configuration=CONFIGURATION["automatic"]
    )
    browser = sign_in(devops)

    answer = browser.post(
        f"/o/acme/clusters/{cluster.name}/secret-managers/new/{draft.pk}/test/",
        {"wish": "save", "shown": draft.tested_at.isoformat()},
    )

    assert answer.status_code == 422
    assert "The access early uses automatic" in answer.content.decode()
    assert AccessDraft.objects.filter(pk=draft.pk).exists()


@pytest.mark.django_db
def test_an_impossible_method_is_refused_before_anything_is_asked_or_made(cluster, devops, sign_in):
    """The cluster of this test does not answer: whoever asked it would say so."""
    access = factories.make_access(cluster=cluster, name="aws")
    factories.make_access(
        cluster=cluster, name="auto", method="automatic", configuration=CONFIGURATION["automatic"]
    )
    values = CONFIGURATION["role"] | {"namespaces": ["shop"], "seen": access.version}

    answer = sign_in(devops).post(
        f"/o/acme/clusters/{cluster.name}/secret-managers/aws/edit/?method=role", values
    )

    assert answer.status_code == 422
    assert "The access auto uses automatic" in answer.content.decode()
    access.refresh_from_db()
    assert access.method == "static"


@pytest.mark.django_db
def test_without_the_clusters_account_a_role_cannot_be_checked_and_the_page_says_where_to_enter_it(
    cluster, devops, sign_in
):
    Cluster.objects.update(account="", credential=None)
    draft = make_draft(cluster, devops, SM, "static", "aws")

    page = sign_in(devops).get(
        f"/o/acme/clusters/{cluster.name}/secret-managers/new/{draft.pk}/authentication/"
    )

    assert "is not known; the role has to be in it" in page.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_draft_that_another_tab_ended_does_not_come_back(cluster, devops, sign_in, monkeypatch):
    from accesses import forms

    draft = make_draft(cluster, devops, SM, "static", "aws")
    real = forms.ProviderForm.is_valid

    def ending(self: Any) -> bool:
        AccessDraft.objects.filter(pk=draft.pk).delete()
        return real(self)

    monkeypatch.setattr(forms.ProviderForm, "is_valid", ending)

    answer = sign_in(devops).post(
        f"/o/acme/clusters/{cluster.name}/secret-managers/new/{draft.pk}/provider/", {"provider": PS}
    )

    assert answer.status_code == 404
    assert not AccessDraft.objects.exists()


@pytest.mark.django_db
class TestStrangers:
    """What belongs to somebody else, put into an address or a form by hand, is not there."""

    @pytest.fixture
    def theirs(self, outsider):
        """A cloud credential, a cluster and a tested draft of another organization."""
        cluster = make_cluster(outsider.memberships.get().organization)
        return make_draft(cluster, outsider, SM, "static", "theirs")

    def test_a_cloud_credential_is_no_choice_for_an_access_or_its_edit(
        self, cluster, devops, sign_in, theirs
    ):
        name = theirs.cluster.credential.name
        factories.make_service(cluster=cluster, namespace="shop")
        access = factories.make_access(cluster=cluster, name="ours")
        draft = make_draft(cluster, devops, SM, "static", "new-one")
        data = {"name": "new-one", "region": "eu-west-3", "namespaces": ["shop"], "cloud_credential": name}
        base = f"/o/acme/clusters/{cluster.name}/secret-managers"
        browser = sign_in(devops)

        made = browser.post(f"{base}/new/{draft.pk}/details/", data)
        edited = browser.post(f"{base}/ours/edit/", data | {"seen": access.version})

        for answer in (made, edited):
            assert answer.status_code == 422
            assert "id_cloud_credential-error" in answer.content.decode()
        draft.refresh_from_db()
        access.refresh_from_db()
        assert draft.cloud_credential is None
        assert access.cloud_credential is None

    @pytest.mark.parametrize("step", ["provider", "authentication", "details", "test"])
    def test_a_draft_is_nobody_elses_by_its_id(self, cluster, devops, admin, sign_in, theirs, step):
        colleague = make_draft(cluster, admin, SM, "static", "hers")
        browser = sign_in(devops)

        for draft in (theirs, colleague):
            for name in (cluster.name, draft.cluster.name):
                address = f"/o/acme/clusters/{name}/secret-managers/new/{draft.pk}/{step}/"
                assert browser.get(address).status_code == 404
                assert browser.post(address, {"wish": "save"}).status_code == 404

    @pytest.mark.parametrize("page", ["", "usage/", "move/", "edit/", "delete/"])
    def test_an_access_of_another_organization_is_not_there(self, devops, sign_in, theirs, page):
        access = factories.make_access(cluster=theirs.cluster, name="secret-access")

        answer = sign_in(devops).get(
            f"/o/acme/clusters/{theirs.cluster.name}/secret-managers/{access.name}/{page}"
        )

        assert answer.status_code == 404
