"""Stores of their own for secrets that are read elsewhere: made when used, shared when equal, gone with the last."""

import subprocess
import sys
from typing import Any

import pytest
import yaml
from django.core.exceptions import ValidationError

from accesses import identities, manifests, services, variants, watching
from accesses.models import Access, StoreVariant
from accesses.steps import stores
from accesses.wanted import Values
from clusters import kubeconfig
from tests import factories
from tests.runs import make_run

pytestmark = pytest.mark.django_db

ROLE, OTHER = "arn:aws:iam::123456789012:role/reader", "arn:aws:iam::123456789012:role/other"


@pytest.fixture
def cluster(organization) -> Any:
    return factories.make_cluster(organization=organization, name="prod", account="123456789012")


@pytest.fixture
def make(cluster) -> Any:
    """Return a function that makes an access of a method."""

    def act(method: str, **fields: Any) -> Access:
        configuration = {"region": "eu-west-3"} | ({"role_arn": ROLE} if method == "role" else {})
        keys = {} if method == "static" else {"credential": None}
        return factories.make_access(
            cluster=cluster, method=method, configuration=configuration, **keys, **fields
        )

    return act


def linked(access: Access, **overrides: str) -> StoreVariant | None:
    """Link a secret with overrides and return its variant."""
    service = factories.make_service(cluster=access.cluster)
    variant = variants.use(access, **overrides)
    factories.make_link(service=service, access=access, variant=variant)
    return variant


# -- which -------------------------------------------------------------------------------------------------------
def test_equal_overrides_share_one(make):
    access = make("static")

    first = variants.use(access, region="eu-west-1", role_arn=OTHER)

    assert variants.use(access, role_arn=OTHER, region="eu-west-1") == first
    assert variants.use(access, region="eu-west-1") != first
    assert access.variants.count() == 2


@pytest.mark.parametrize("overrides", [{}, {"region": "eu-west-3"}, {"role_arn": ROLE}, {"audience": "sts.amazonaws.com"}])  # fmt: skip
def test_what_is_as_in_the_access_is_none(make, overrides):
    assert variants.use(make("role"), **overrides) is None


def test_what_is_no_region_is_refused(make):
    with pytest.raises(ValidationError):
        variants.use(make("static"), region="atlantis-1")


def test_its_names_are_known_before_it_is_made(make):
    access = make("role")
    planned = variants.planned(access, role_arn=OTHER)

    made = variants.use(access, role_arn=OTHER)

    assert made is not None
    assert (made.store_name, made.service_account) == (planned.store_name, planned.service_account)


def test_those_that_nothing_uses_are_swept(make):
    access = make("static")
    used = linked(access, region="eu-west-1")
    variants.use(access, region="us-east-1")

    assert variants.sweep(access) == 1
    assert list(access.variants.all()) == [used]


# -- what they become ----------------------------------------------------------------------------------------------
def spec(access: Access, at: int = 1) -> Any:
    return manifests.stores(access)[at]["spec"]["provider"]["aws"]


def test_another_region_is_another_store_with_the_same_identity(make):
    access = make("role")
    linked(access, region="eu-west-1")

    assert spec(access)["region"] == "eu-west-1"
    assert spec(access)["auth"] == spec(access, 0)["auth"]
    assert len(manifests.signing_in(access)) == 1


def test_another_role_is_another_service_account_where_one_signs_in(make):
    access = make("role")
    variant = linked(access, role_arn=OTHER)
    own, other = manifests.signing_in(access)

    assert other["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": OTHER}
    assert other["metadata"]["labels"] == own["metadata"]["labels"]
    assert spec(access)["auth"]["jwt"]["serviceAccountRef"]["name"] == variant.service_account
    assert "role" not in spec(access)


@pytest.mark.parametrize("method", ["static", "ambient"])
def test_another_role_is_assumed_where_keys_sign_in(make, method):
    access = make(method)
    linked(access, role_arn=OTHER)

    assert spec(access)["role"] == OTHER
    assert spec(access).get("auth") == spec(access, 0).get("auth")


def test_googles_region_and_audience_are_the_stores(cluster):
    audience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k"
    access = factories.make_access(
        cluster=cluster, provider="gcp-secret-manager", method="federation", credential=None,
        configuration={"project": "acme-secrets", "region": "", "audience": audience, "email": ""},
    )  # fmt: skip
    linked(access, region="europe-west9", audience="https://tokens.example.com")

    found = manifests.stores(access)[1]["spec"]["provider"]["gcpsm"]

    assert found["location"] == "europe-west9"
    reference = found["auth"]["workloadIdentityFederation"]["serviceAccountRef"]
    assert reference["audiences"] == ["https://tokens.example.com"]
    assert variants.use(access, audience=f"https:{audience}") is None


def test_they_are_open_to_the_same_namespaces(make):
    access = make("static", namespaces=["shop", "billing"])
    linked(access, region="eu-west-1")

    own, other = manifests.stores(access)

    assert other["spec"]["conditions"] == own["spec"]["conditions"]
    assert other["metadata"]["name"] != own["metadata"]["name"]


def test_the_operators_schema_accepts_them(make, shared, tmp_path):
    accesses = [make(method) for method in ("role", "static", "ambient", "automatic")]
    for access in accesses:
        linked(access, region="eu-west-1", role_arn=OTHER)
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(one for access in accesses for one in manifests.stores(access)))

    done = subprocess.run(
        [sys.executable, shared / "tools" / "validate_manifests.py", file], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout
    assert "8 documents, 0 invalid" in done.stdout


# -- the access changes ------------------------------------------------------------------------------------------------
def test_an_edit_that_would_leave_a_secret_unread_is_refused(make, admin):
    access = make("role")
    linked(access, audience="other.example.com")
    values = Values(
        "static", {"region": "eu-west-3"}, {"access_key_id": "A", "secret_access_key": "s"}, ["shop"]
    )

    with pytest.raises(services.InUse, match=r"Linked secrets are read with other\.example\.com"):
        services.change(access=access, values=values, result=None, seen_version=1, by=admin)


def test_an_access_goes_with_its_unused_variants(make, admin):
    access = make("static")
    variants.use(access, region="eu-west-1")

    services.delete(access=access, by=admin)

    assert not StoreVariant.objects.exists()


def test_an_automatic_role_may_read_what_its_links_read_where_they_are(make):
    from accesses.identities import aws

    access = make("automatic")
    linked(access, region="eu-west-1")
    linked(access, role_arn=OTHER)
    service = factories.make_service(cluster=access.cluster)
    for fields in ({"takes": "path", "key": "shop/"}, {"takes": "tags", "key": "", "tags": {"env": "prod"}}):
        factories.make_link(service=service, access=access, variable="", **fields)
    elsewhere = access.external_secrets.get(variant__region="eu-west-1").key
    foreign = access.external_secrets.get(variant__role_arn=OTHER).key

    reading, listing, tagged, several = aws.permissions(access)["Statement"]

    assert reading["Resource"] == [
        f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{elsewhere}-??????",
        "arn:aws:secretsmanager:eu-west-3:123456789012:secret:shop/*",
    ]
    assert foreign not in str(reading)
    assert listing["Action"] == ["secretsmanager:ListSecrets"]
    assert tagged["Condition"] == {"StringLike": {"aws:ResourceTag/env": "prod*"}}
    assert several["Action"] == ["secretsmanager:BatchGetSecretValue"]
    assert identities.MAKERS["aws"] is aws.MAKER


def test_what_the_operator_says_of_such_a_store_is_told_on_the_access(make):
    access = make("static")
    variant = linked(access, role_arn=OTHER)
    said = {"status": "False", "reason": "InvalidProviderConfig", "message": "unable to create client"}
    watching.keep(access, {"status": "True", "message": "store validated"}, "")

    (refused,) = watching.keep_elsewhere(
        access, {access.store_name: {"status": "True"}, variant.store_name: said},
        {variant.store_name: "operation error STS: AssumeRole, https response error StatusCode: 403, AccessDenied"},
    )  # fmt: skip

    access.refresh_from_db()
    assert refused[1] == f"the store of {access.name} for {OTHER}"
    assert access.validated is True
    assert access.validated_reason.startswith(f"The store of {access.name} for {OTHER}: ")


# -- in a cluster ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def run(sandbox_cluster, cluster, project) -> Any:
    """Return a function that applies the stores step to a cluster with the operator in it."""
    from clusters import helm

    helm.install_or_upgrade(
        sandbox_cluster.kubeconfig(), release="external-secrets", namespace="external-secrets",
        chart=str(project / "sandbox" / "chart" / "external-secrets"), version="2.9.0", values={}, timeout=60,
    )  # fmt: skip
    cluster.kubeconfig = kubeconfig.reduce(sandbox_cluster.kubeconfig())
    cluster.operator_namespace = "external-secrets"
    cluster.save()

    def act() -> Any:
        return make_run(type(cluster).objects.get(pk=cluster.pk))

    return act


def names(kube: Any, kind: str) -> set[str]:
    return {
        one["metadata"]["name"] for one in kube.list(kind) if "keyhaven" in str(one["metadata"].get("labels"))
    }


@pytest.mark.sandbox
def test_a_deploy_makes_them_and_the_one_after_takes_them_away(run, make, sandbox_cluster):
    access = make("role")
    variant = linked(access, role_arn=OTHER)

    planned = {change.name for change in stores.Stores().plan(run())}
    stores.Stores().apply(run())

    assert {variant.store_name, variant.service_account} < planned
    assert names(sandbox_cluster, "ClusterSecretStore") == {access.store_name, variant.store_name}
    assert names(sandbox_cluster, "ServiceAccount") == {access.service_account, variant.service_account}
    access.refresh_from_db()
    assert access.accepted_at is not None

    access.external_secrets.all().delete()
    variants.sweep(access)
    stores.Stores().apply(run())

    assert names(sandbox_cluster, "ClusterSecretStore") == {access.store_name}
    assert names(sandbox_cluster, "ServiceAccount") == {access.service_account}


@pytest.mark.sandbox
def test_many_accesses_take_the_same_queries(run, make, django_assert_max_num_queries):
    for _ in range(6):
        linked(make("static"), region="eu-west-1")
    step, one = stores.Stores(), run()

    with django_assert_max_num_queries(12):
        changes = step.plan(one)

    assert sum(change.kind == "ClusterSecretStore" for change in changes) == 12
