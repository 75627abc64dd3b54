"""What is stored was tried; what is used stays; nothing is lost between two people; no secret is told."""

import datetime
import json

import pytest
from django.db import connection
from django.utils import timezone

from accounts.encryption import Unreadable
from accounts.models import AuditEvent
from credentials import clouds, services, usage
from credentials.clouds import errors
from credentials.clouds.aws import policies as aws_policies
from credentials.clouds.google import policies as google_policies
from credentials.models import CloudCredential
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

ACCOUNT = "123456789012"
GIVEN = {"partition": "aws"}


def create(organization, by, secret, name="aws-prod"):
    return services.create(
        organization=organization, name=name, cloud="aws", method="static", secret=secret, given=GIVEN, by=by
    )


def change(credential, by, **values):
    values = {"name": credential.name, "secret": credential.secret, "given": GIVEN} | values
    values.setdefault("seen_version", credential.version)
    return services.change(credential=credential, by=by, **values)


def column(credential):
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM credentials_cloudcredential WHERE id = %s", [credential.pk])
        return str(cursor.fetchone()[0])


class TestCreate:
    def test_what_aws_says_of_the_keys_is_kept(self, organization, admin, keys):
        made = create(organization, admin, keys())

        stored = CloudCredential.objects.get(pk=made.pk)
        assert stored.identity == f"arn:aws:iam::{ACCOUNT}:user/reader"
        assert stored.account == ACCOUNT
        assert stored.facts["key_id"] == keys()["access_key_id"]
        assert stored.secret == keys()
        assert (stored.set_by, stored.check_error) == (str(admin), "")
        assert stored.checked_at is not None

    @pytest.mark.parametrize(
        "wrong",
        [{"access_key_id": "AKIA" + "Z" * 16}, {"secret_access_key": "z" * 40}],
        ids=["unknown key", "another secret"],
    )
    def test_refused_keys_are_not_stored(self, organization, admin, keys, wrong):
        with pytest.raises(errors.CredentialRefused, match="AWS does not accept these keys"):
            create(organization, admin, keys() | wrong)

        assert not CloudCredential.objects.exists()
        assert not AuditEvent.objects.exists()

    def test_a_cloud_that_does_not_answer_is_said(self, organization, admin, keys, monkeypatch):
        secret = keys()
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

        with pytest.raises(errors.NotReachable, match="AWS does not answer in us-east-1"):
            create(organization, admin, secret)

    def test_a_partition_is_asked_where_it_is(self, organization, admin, keys, monkeypatch):
        secret = keys()
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

        with pytest.raises(errors.NotReachable, match="us-gov-west-1"):
            clouds.CLOUDS["aws"].method("static").identify(secret, {"partition": "aws-us-gov"})

    def test_every_partition_has_a_region_that_aws_puts_in_it(self):
        from botocore.session import Session

        from credentials.clouds.aws.regions import PARTITIONS

        known = Session().get_available_partitions()

        found = {slug: Session().get_partition_for_region(region) for slug, (_, region) in PARTITIONS.items()}
        assert found == {slug: slug for slug in PARTITIONS}
        assert set(PARTITIONS) <= set(known)

    def test_a_name_is_taken_once_in_an_organization(self, organization, outsider, admin, keys, credential):
        elsewhere = outsider.memberships.get().organization

        with pytest.raises(services.NameTaken, match="named aws-prod already"):
            create(organization, admin, keys("admin"))

        assert create(elsewhere, outsider, keys()).name == "aws-prod"

    def test_a_kind_that_this_version_does_not_know_is_said(self):
        with pytest.raises(errors.NotPossibleHere, match="does not know this kind"):
            clouds.known("azure", "static")

    def test_the_secret_is_bound_to_its_row(self, organization, credential):
        other = factories.make_cloud_credential(organization=organization)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE credentials_cloudcredential SET secret = %s WHERE id = %s",
                [column(other), credential.pk],
            )

        assert credential.secret["secret_access_key"] not in column(other)
        with pytest.raises(Unreadable, match="another row"):
            _ = CloudCredential.objects.get(pk=credential.pk).secret


class TestChange:
    def test_new_keys_replace_the_old_ones(self, credential, devops, keys):
        assert change(credential, devops, secret=keys("admin"))

        live = CloudCredential.objects.get()
        assert live.identity.endswith(":user/admin")
        assert live.secret == keys("admin")
        assert (live.version, live.set_by) == (2, str(devops))

    def test_keys_that_do_not_work_change_nothing(self, credential, admin, keys):
        with pytest.raises(errors.CredentialRefused):
            change(credential, admin, secret=keys() | {"secret_access_key": "z" * 40})

        live = CloudCredential.objects.get()
        assert (live.secret, live.version) == (keys(), 1)

    def test_a_new_name_alone_asks_nobody(self, credential, admin, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

        assert change(credential, admin, name="aws-production")

        live = CloudCredential.objects.get()
        assert (live.name, live.set_by, live.version) == ("aws-production", str(admin), 2)
        assert live.set_at == credential.set_at

    def test_nothing_new_is_no_change(self, credential, admin):
        assert not change(credential, admin)
        assert CloudCredential.objects.get().version == 1
        assert not AuditEvent.objects.filter(action="credential.changed").exists()

    def test_the_slower_of_two_is_told_what_it_is_now(self, credential, admin, devops, keys):
        change(CloudCredential.objects.get(), devops, secret=keys("admin"))

        with pytest.raises(services.Changed, match=r"It is now aws-prod, arn:aws:iam::\d+:user/admin"):
            change(CloudCredential.objects.get(), admin, secret=keys("limited"), seen_version=1)

        assert CloudCredential.objects.get().identity.endswith(":user/admin")

    def test_one_that_was_changed_while_the_cloud_was_asked_is_kept(self, credential, admin, devops, keys):
        """The page read it before; the row is looked at again under a lock."""
        stale = CloudCredential.objects.get()
        change(CloudCredential.objects.get(), devops, name="aws-renamed")

        with pytest.raises(services.Changed):
            change(stale, admin, secret=keys("admin"))

        assert CloudCredential.objects.get().secret == keys()

    def test_a_name_that_is_taken_changes_nothing(self, credential, elsewhere, admin):
        with pytest.raises(services.NameTaken):
            change(credential, admin, name="aws-other")

        assert CloudCredential.objects.get(pk=credential.pk).name == "aws-prod"

    @pytest.mark.parametrize("user", ["cluster", "access", "identity"])
    def test_the_account_stays_while_something_uses_it(self, elsewhere, admin, keys, user):
        use(elsewhere, user)

        with pytest.raises(services.InUse) as caught:
            change(elsewhere, admin, secret=keys("admin"))

        assert f"of the account {ACCOUNT}" in str(caught.value)
        assert "is used in 210987654321: by" in str(caught.value)
        assert "prod" in str(caught.value)
        assert CloudCredential.objects.get().account == "210987654321"

    def test_many_users_are_counted(self, elsewhere, organization, admin, keys):
        for number in range(5):
            factories.make_cluster(organization=organization, name=f"c-{number}", credential=elsewhere)

        with pytest.raises(
            services.InUse, match="the cluster c-0, the cluster c-1, the cluster c-2 and 2 more"
        ):
            change(elsewhere, admin, secret=keys("admin"))

    def test_an_unused_one_may_move_to_another_account(self, elsewhere, admin, keys):
        assert change(elsewhere, admin, secret=keys("admin"))

        assert CloudCredential.objects.get().account == ACCOUNT

    def test_clusters_whose_accesses_sign_in_with_it_are_out_of_date(
        self, credential, organization, admin, keys
    ):
        """Their cluster has the old keys until a deploy brings the new ones."""
        prod, other = (
            factories.make_cluster(organization=organization, name=name, deployed_generation=0)
            for name in ("prod", "other")
        )
        factories.make_access(cluster=prod, name="one", cloud_credential=credential, credential=None)
        factories.make_access(cluster=prod, name="two", cloud_credential=credential, credential=None)
        factories.make_access(cluster=other, name="own")

        change(credential, admin, name="aws-production")
        prod.refresh_from_db()
        before = prod.drift
        change(CloudCredential.objects.get(), admin, name="aws-production", secret=keys("admin"))
        prod.refresh_from_db()
        other.refresh_from_db()

        assert (before, prod.drift, other.drift) == ("up to date", "out of date", "up to date")

    def test_one_that_was_never_deployed_and_holds_no_key_has_nothing_to_deploy(
        self, credential, organization, admin, keys
    ):
        fresh = factories.make_cluster(organization=organization, name="fresh", credential=credential)
        used = factories.make_cluster(
            organization=organization, name="used", credential=credential, generation=1, deployed_generation=1
        )

        change(credential, admin, secret=keys("admin"))
        fresh.refresh_from_db()
        used.refresh_from_db()

        assert (fresh.generation, used.drift) == (0, "out of date")


def use(credential, user):
    """Let something use a credential."""
    from accesses.models import Identity

    cluster = factories.make_cluster(organization=credential.organization, name="prod")
    if user == "cluster":
        cluster.credential = credential
        cluster.save()
    elif user == "access":
        factories.make_access(cluster=cluster, name="aws", cloud_credential=credential, credential=None)
    else:
        Identity.objects.create(
            cluster=cluster, access_id=cluster.pk, access_name="aws", cloud="aws", credential=credential
        )


class TestCheck:
    def test_a_credential_that_works_says_so(self, credential, keys):
        CloudCredential.objects.update(check_error="Old.", checked_at=None)

        services.check(CloudCredential.objects.get())

        live = CloudCredential.objects.get()
        assert (live.check_error, live.check_remedy) == ("", "")
        assert live.checked_at is not None
        assert live.secret == keys()

    def test_one_that_was_deleted_in_the_cloud_says_what_to_do(self, credential):
        credential.secret = credential.secret | {"secret_access_key": "z" * 40}
        credential.save()

        services.check(credential)

        live = CloudCredential.objects.get()
        assert live.check_error == "AWS does not accept these keys."
        assert "make new ones" in live.check_remedy
        assert live.identity.endswith(":user/reader"), "what is known of it stays"

    def test_what_was_found_of_the_old_keys_is_not_said_of_the_new(self, credential, admin, keys):
        stale = CloudCredential.objects.get()
        stale.secret = stale.secret | {"secret_access_key": "z" * 40}
        change(credential, admin, secret=keys("admin"))

        services.check(stale)

        assert CloudCredential.objects.get().check_error == ""


class TestDelete:
    def test_an_unused_one_is_gone(self, credential, admin):
        services.delete(credential=credential, by=admin)

        assert not CloudCredential.objects.exists()
        assert AuditEvent.objects.get(action="credential.deleted").target_name == "aws-prod"

    @pytest.mark.parametrize("user", ["cluster", "access", "identity"])
    def test_a_used_one_stays_and_the_log_has_no_event(self, credential, admin, user):
        use(credential, user)

        with pytest.raises(services.InUse, match="aws-prod is in use"):
            services.delete(credential=credential, by=admin)

        assert CloudCredential.objects.exists()
        assert not AuditEvent.objects.filter(action="credential.deleted").exists()


class TestUsage:
    def test_a_cluster_is_counted_once_however_it_uses_it(self, credential, organization):
        clusters = [
            factories.make_cluster(organization=organization, credential=credential) for _ in range(3)
        ]
        for cluster in clusters[:2]:
            factories.make_access(cluster=cluster, cloud_credential=credential, credential=None)
        unused = factories.make_cloud_credential(organization=organization)

        found = usage.counts([credential, unused])

        assert (found[credential.pk].clusters, found[credential.pk].accesses) == (3, 2)
        assert found[credential.pk].words == "3 clusters, 2 accesses"
        assert unused.pk not in found

    def test_the_counts_are_two_queries(self, organization, django_assert_num_queries):
        rows = [factories.make_cloud_credential(organization=organization) for _ in range(20)]
        for one in rows:
            factories.make_cluster(organization=organization, credential=one)

        with django_assert_num_queries(2):
            assert sum(found.clusters for found in usage.counts(rows).values()) == 20

    def test_one_is_old_after_ninety_days(self, credential):
        credential.set_at = timezone.now() - datetime.timedelta(days=89)
        young = credential.is_old
        credential.set_at = timezone.now() - datetime.timedelta(days=91)

        assert (young, credential.is_old) == (False, True)


class TestAudit:
    def test_events_tell_whose_it_is_and_never_the_secret(self, credential, admin, keys):
        change(credential, admin, name="aws-two", secret=keys("admin"))
        services.delete(credential=CloudCredential.objects.get(), by=admin)

        events = list(AuditEvent.objects.order_by("sequence"))
        text = json.dumps([event.details for event in events])
        assert [event.action for event in events] == [
            "credential.created", "credential.changed", "credential.deleted",
        ]  # fmt: skip
        assert events[0].details["arn"].endswith(":user/reader")
        assert events[1].details["changes"]["name"][0] == "aws-prod"
        assert events[1].details["changes"]["arn"][0].endswith(":user/reader")
        assert events[1].details["secret"] == "changed"
        assert keys()["secret_access_key"] not in text
        assert keys("admin")["secret_access_key"] not in text


class TestPolicies:
    def test_what_is_changed_in_an_account_is_ours(self):
        policy = json.loads(aws_policies.for_aws(ACCOUNT))

        by_sid = {statement["Sid"]: statement for statement in policy["Statement"]}
        assert policy["Version"] == "2012-10-17"
        assert by_sid["OwnRoles"]["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/keyhaven-*"
        assert by_sid["TrustIssuers"]["Resource"] == f"arn:aws:iam::{ACCOUNT}:oidc-provider/*"
        on_all = [action for one in policy["Statement"] if one["Resource"] == "*" for action in one["Action"]]
        assert on_all == ["eks:ListClusters", "iam:ListRoles"], "AWS has no narrower resource for these"
        assert "*" not in "".join(action for one in policy["Statement"] for action in one["Action"])

    def test_a_partition_has_its_own_arns(self):
        assert f"arn:aws-cn:iam::{ACCOUNT}:role/keyhaven-*" in aws_policies.for_aws(ACCOUNT, "aws-cn")
        assert "arn:aws:" not in aws_policies.for_aws(ACCOUNT, "aws-cn")

    def test_the_actions_are_those_that_aws_has(self):
        """The names of IAM's actions are those of its API."""
        from botocore.session import Session

        known = {
            f"{service}:{name}"
            for service in ("iam", "eks")
            for name in Session().get_service_model(service).operation_names
        }

        wanted = {
            action
            for one in json.loads(aws_policies.for_aws(ACCOUNT))["Statement"]
            for action in one["Action"]
        }
        assert wanted <= known

    def test_a_google_role_is_one_that_gcloud_takes(self):
        role = json.loads(google_policies.role("acme-prod"))

        assert "acme-prod" in role["description"]
        assert all(permission.count(".") == 2 for permission in role["includedPermissions"])


class TestContract:
    @pytest.mark.parametrize("slug", sorted(clouds.CLOUDS))
    def test_a_cloud_says_what_the_pages_need(self, slug):
        cloud = clouds.CLOUDS[slug]

        assert slug in CloudCredential.Cloud.values
        assert cloud.policy({}).strip()
        assert len({method.slug for method in cloud.methods}) == len(cloud.methods) > 0
        for method in cloud.methods:
            assert bool(method.form.secret_names()) is not method.keyless, (
                "a credential has a secret, or needs none"
            )
            assert len(method.slug) <= CloudCredential._meta.get_field("method").max_length
            assert method.consequence.endswith(".")
