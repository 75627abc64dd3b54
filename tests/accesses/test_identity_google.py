"""GCP automatic: what the identity step makes, keeps, shows and takes away at Google."""

from typing import Any

import pytest

from accesses import services, trials
from accesses.models import Access, Identity
from accesses.steps import Identities, Leftovers, identity
from clusters import addons, kubeconfig, waiting
from clusters import services as clusters
from clusters.models import Cluster
from credentials.clouds import errors
from credentials.clouds import google as cloud
from tests import factories
from tests.runs import make_run

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

ROLES = {"roles/secretmanager.secretAccessor", "roles/secretmanager.viewer"}


@pytest.fixture
def cluster(organization, make_sandbox_cluster, sandbox_google, google_endpoint, monkeypatch) -> Cluster:
    monkeypatch.setattr(waiting, "LONGEST", 0.1)
    kube = make_sandbox_cluster("gke")
    credential = factories.make_cloud_credential(
        organization=organization, cloud="gcp", method="key", secret={"key": sandbox_google.keys["admin"]},
        facts={"email": "admin@acme-secrets.iam.gserviceaccount.com", "project": "acme-secrets"},
    )  # fmt: skip
    made = factories.make_cluster(
        organization=organization,
        name="prod",
        kubeconfig=kubeconfig.reduce(kube.kubeconfig()),
        credential=credential,
    )
    return clusters.check(made)


@pytest.fixture
def access(cluster) -> Access:
    return factories.make_access(
        cluster=cluster, name="gcp", provider="gcp-secret-manager", method="automatic", credential=None,
        configuration={"project": "acme-secrets", "region": ""},
    )  # fmt: skip


@pytest.fixture
def api(sandbox_google, google_endpoint) -> cloud.Api:
    return cloud.Api(cloud.by_key(cloud.parse_key(sandbox_google.keys["admin"])))


def apply(cluster: Cluster) -> Any:
    run = make_run(Cluster.objects.get(pk=cluster.pk))
    Identities().apply(run)
    return run


def leave(cluster: Cluster) -> None:
    Leftovers().apply(make_run(Cluster.objects.get(pk=cluster.pk)))


def plan(cluster: Cluster) -> list[addons.Change]:
    return Identities().plan(make_run(Cluster.objects.get(pk=cluster.pk), ask=True))


def email(access: Access) -> str:
    return f"keyhaven-{access.id.hex[:8]}@acme-prod.iam.gserviceaccount.com"


def account(access: Access) -> str:
    return email(access).partition("@")[0]


def policy(api: cloud.Api) -> dict[str, Any]:
    return api.call("POST", "cloudresourcemanager", "v1/projects/acme-secrets:getIamPolicy", "x", {})


def roles_of(api: cloud.Api, member: str) -> set[str]:
    return {one["role"] for one in policy(api)["bindings"] if member in one["members"]}


def test_before_the_first_deploy_all_of_it_is_planned(cluster, access):
    changes = plan(cluster)

    assert {change.action for change in changes} == {"create"}
    assert [change.problem for change in changes] == [""] * 4


def test_it_makes_the_service_account_its_trust_and_both_roles(cluster, access, api):
    run = apply(cluster)

    account = api.call("GET", "iam", f"v1/projects/acme-prod/serviceAccounts/{email(access)}", "x")
    trust = api.call(
        "POST", "iam", f"v1/projects/acme-prod/serviceAccounts/{email(access)}:getIamPolicy", "x"
    )
    assert "Keyhaven" in account["description"]
    assert trust["bindings"] == [
        {
            "role": "roles/iam.workloadIdentityUser",
            "members": [f"serviceAccount:acme-prod.svc.id.goog[external-secrets/{access.service_account}]"],
        }
    ]
    assert roles_of(api, f"serviceAccount:{email(access)}") == ROLES
    assert "Made the Google service account" in run.log.of("info")


def test_the_cluster_can_then_sign_in_and_nothing_is_done_twice(cluster, access):
    apply(cluster)

    result = trials.try_access(access)
    run = apply(cluster)

    assert result.listed, result
    assert {change.action for change in plan(cluster)} == {"unchanged"}
    assert "Made" not in run.log.of("info")


def test_a_second_access_of_the_project_is_planned_and_recorded_beside_the_first(cluster, access, api):
    apply(cluster)
    second = factories.make_access(
        cluster=cluster, name="second", provider="gcp-secret-manager", method="automatic", credential=None,
        configuration={"project": "acme-secrets", "region": ""},
    )  # fmt: skip
    gone = account(access)
    access.delete()

    planned = {(one.action, one.name) for one in plan(cluster) if one.name.startswith("viewer")}
    apply(cluster)

    assert planned == {
        ("create", f"viewer on acme-secrets for {account(second)}"),
        ("delete", f"viewer on acme-secrets for {gone}"),
    }
    assert roles_of(api, f"serviceAccount:{email(second)}") == ROLES


def test_a_service_account_that_google_does_not_know_everywhere_yet_is_waited_for(
    cluster, access, api, sandbox_google
):
    sandbox_google.plant("faults", unknown_members=3)

    apply(cluster)

    assert roles_of(api, f"serviceAccount:{email(access)}") == ROLES


def test_what_google_never_takes_fails_in_the_end(cluster, access, sandbox_google, monkeypatch):
    monkeypatch.setattr(identity, "SETTLING", 0.2)
    sandbox_google.plant("faults", unknown_members=1000)

    with pytest.raises(addons.StepFailed, match="not valid"):
        apply(cluster)


def test_a_role_that_somebody_took_away_is_shown_and_given_back(cluster, access, api):
    apply(cluster)
    found = policy(api)
    member = f"serviceAccount:{email(access)}"
    for one in found["bindings"]:
        if one["role"] == "roles/secretmanager.viewer":
            one["members"] = [other for other in one["members"] if other != member]
    api.call("POST", "cloudresourcemanager", "v1/projects/acme-secrets:setIamPolicy", "x", {"policy": found})

    changes = [change for change in plan(cluster) if change.action != "unchanged"]
    apply(cluster)

    assert [(change.action, change.name) for change in changes] == [
        ("create", f"viewer on acme-secrets for {account(access)}")
    ]
    assert roles_of(api, member) == ROLES


def test_bindings_and_conditions_of_others_stay(cluster, access, api, devops):
    found = policy(api)
    theirs = {
        "role": "roles/secretmanager.viewer", "members": ["user:mo@example.com"],
        "condition": {"title": "office hours", "expression": "request.time.getHours() < 18"},
    }  # fmt: skip
    found["bindings"].append(theirs)
    api.call("POST", "cloudresourcemanager", "v1/projects/acme-secrets:setIamPolicy", "x", {"policy": found})
    before = policy(api)["bindings"]

    apply(cluster)
    during = policy(api)["bindings"]
    services.delete(access=access, by=devops)
    apply(cluster)

    assert theirs in during
    assert sorted(map(str, policy(api)["bindings"])) == sorted(map(str, before))


def test_with_the_access_it_all_goes(cluster, access, api, devops, sandbox_google):
    apply(cluster)
    address = email(access)
    services.delete(access=access, by=devops)

    planned = {(change.action, change.kind) for change in plan(cluster)}
    apply(cluster)

    assert planned == {("delete", "Google service account"), ("delete", "Google IAM binding")}
    assert roles_of(api, f"serviceAccount:{address}") == set()
    with pytest.raises(errors.NotThere):
        api.call("GET", "iam", f"v1/projects/acme-prod/serviceAccounts/{address}", "x")
    assert not Identity.objects.exists()


class TestAnotherProject:
    """The secrets are in another project now: what was granted on the former one goes, once the store is brought."""

    def move(self, access: Access, project: str = "acme-prod") -> None:
        access.configuration = {"project": project, "region": ""}
        access.save()

    def test_the_roles_on_the_former_project_go_at_the_end_of_the_deploy(self, cluster, access, api):
        apply(cluster)
        self.move(access)

        planned = {change.name for change in plan(cluster) if change.action == "delete"}
        apply(cluster)
        during = roles_of(api, f"serviceAccount:{email(access)}")
        leave(cluster)

        assert planned == {
            f"{role} on acme-secrets for {account(access)}" for role in ("secretAccessor", "viewer")
        }
        assert during == ROLES
        assert roles_of(api, f"serviceAccount:{email(access)}") == set()
        assert trials.try_access(access).listed
        assert {change.action for change in plan(cluster)} == {"unchanged"}

    def test_also_when_the_access_is_deleted_before_that(self, cluster, access, api, devops):
        apply(cluster)
        self.move(access)
        apply(cluster)
        member = f"serviceAccount:{email(access)}"
        services.delete(access=access, by=devops)

        apply(cluster)

        assert roles_of(api, member) == set()
        assert not Identity.objects.exists()

    def test_back_again_in_time_nothing_goes(self, cluster, access, api):
        apply(cluster)
        self.move(access)
        apply(cluster)
        self.move(access, "acme-secrets")

        apply(cluster)
        leave(cluster)

        assert roles_of(api, f"serviceAccount:{email(access)}") == ROLES
        assert trials.try_access(access).listed


def test_another_method_keeps_the_identity_until_the_stores_are_brought(cluster, access, api):
    apply(cluster)
    access.method = "key"
    access.save()

    apply(cluster)
    during = roles_of(api, f"serviceAccount:{email(access)}")
    leave(cluster)

    assert during == ROLES
    assert roles_of(api, f"serviceAccount:{email(access)}") == set()
    assert not Identity.objects.exists()


def test_a_credential_that_may_not_is_told_with_what_it_lacks(cluster, access, sandbox_google):
    credential = cluster.credential
    credential.secret = {"key": sandbox_google.keys["reader"]}
    credential.save()

    with pytest.raises(addons.StepFailed, match=r"iam\.serviceAccounts"):
        apply(cluster)
