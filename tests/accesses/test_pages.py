"""The add-ons page and an access's page: states with age and reason, who sees what, what happens next."""

import datetime
import html
import re

import pytest
from django.utils import timezone

from accesses import states
from accesses.models import AccessDraft, Identity, OperatorState
from tests import factories

pytestmark = pytest.mark.django_db

ADD_ONS = "/o/acme/clusters/prod/add-ons/"
AWS = "/o/acme/clusters/prod/secret-managers/aws/"
SECRET = "canary-value-of-a-key"


@pytest.fixture
def cluster(organization):
    return factories.make_cluster(organization=organization, name="prod")


@pytest.fixture
def access(cluster):
    credential = {"access_key_id": "AKIA" + "A" * 16, "secret_access_key": SECRET}
    return factories.make_access(cluster=cluster, name="aws", credential=credential, namespaces=["shop"])


@pytest.fixture
def show(sign_in):
    return lambda user, url: sign_in(user).get(url).content.decode()


def found(access, **fields):
    """Write past `save()`, as deploys and tests do."""
    type(access).objects.filter(pk=access.pk).update(**fields)
    access.refresh_from_db()
    return access


def words(access):
    return [state.word for state in states.of(access)]


class TestStates:
    def test_at_first_nothing_is_known(self, access):
        assert words(access) == ["Never deployed", "Not asked yet", "Not tested yet"]
        assert [state.at for state in states.of(access)] == [None, None, None]

    def test_each_has_its_own_age(self, access):
        now = timezone.now()
        times = [now + datetime.timedelta(minutes=minutes) for minutes in (1, 2, 3)]
        found(
            access, accepted_at=times[0], validated=True, validated_reason="store validated",
            validated_at=times[1], verified_at=times[2],
        )  # fmt: skip

        assert words(access) == ["Accepted", "Validated", "Verified"]
        assert [state.at for state in states.of(access)] == times

    def test_one_failure_does_not_colour_the_others(self, access):
        now = timezone.now()
        found(
            access, accepted_at=now, validated=True, validated_at=now, verified_at=now, tested_at=now,
            verified_error="AWS does not accept these keys.", verified_remedy="Replace them.",
            result={"refused": True},
        )  # fmt: skip

        accepted, validated, verified = states.of(access)

        assert (accepted.badge, validated.badge) == ("accepted", "validated")
        assert (verified.badge, verified.text, verified.remedy) == (
            "failed", "AWS does not accept these keys.", "Replace them.",
        )  # fmt: skip

    def test_a_missing_permission_is_access_denied(self, access):
        found(access, verified_error="Missing.", tested_at=timezone.now(), result={"policy": "{}"})

        assert states.of(access)[2].badge == "denied"

    def test_what_the_api_server_refused_is_quoted_with_when(self, access):
        at = timezone.now()
        found(access, accepted_error="spec.provider: Required value", accepted_checked_at=at)

        state = states.of(access)[0]

        assert (state.word, state.text, state.at) == ("Refused", "spec.provider: Required value", at)

    def test_what_the_operator_refused_is_quoted(self, access):
        found(
            access, validated=False, validated_reason="unable to create client", validated_at=timezone.now()
        )

        assert "unable to create client" in states.of(access)[1].text

    def test_a_change_makes_old_findings_old(self, access):
        now = timezone.now()
        found(access, accepted_at=now, validated=True, validated_at=now, verified_at=now)
        access.save()

        assert words(access) == ["Out of date", "Out of date", "Verified"]


class TestAddOns:
    def test_an_empty_cluster_says_what_to_do(self, show, devops, cluster):
        text = show(devops, ADD_ONS)

        assert "No secret manager yet" in text
        assert "Not installed" in text

    def test_a_viewer_is_told_who_may_add(self, show, viewer, access):
        text = show(viewer, ADD_ONS)

        assert 'aria-disabled="true"' in text
        assert "Needs the role Owner or Admin or DevOps" in text
        assert "Delete…" not in text

    @pytest.mark.parametrize(("adopted", "word"), [(True, "Adopted"), (False, "Installed")])
    def test_the_operator_is_named_with_its_version(self, show, viewer, cluster, adopted, word):
        cluster.operator_version, cluster.operator_namespace = "v2.9.0", "platform"
        cluster.save()
        OperatorState.objects.create(cluster=cluster, adopted=adopted, seen_at=timezone.now())

        text = show(viewer, ADD_ONS)

        assert f">{word}</span>" in text
        assert "v2.9.0 in the namespace platform" in text

    def test_a_row_counts_links_and_says_why_it_failed(self, show, devops, access, cluster):
        factories.make_link(access=access, service=factories.make_service(cluster=cluster))
        found(access, verified_error="AWS does not answer in eu-west-3.", tested_at=timezone.now())

        text = show(devops, ADD_ONS)

        assert re.search(r"1 secret<span", text)
        assert "<p>AWS does not answer in eu-west-3.</p>" in text
        assert 'aria-label="Actions for aws"' in text
        assert "AWS Secrets Manager" in text
        assert "Access key" in text
        assert "Europe (Paris), eu-west-3" in text

    def test_only_ones_own_begun_drafts_are_offered(self, show, devops, admin, cluster):
        AccessDraft.objects.create(cluster=cluster, by=devops)
        AccessDraft.objects.create(cluster=cluster, by=devops, provider="aws-secrets-manager", name="mine")
        AccessDraft.objects.create(cluster=cluster, by=admin, provider="aws-secrets-manager", name="theirs")

        text = show(devops, ADD_ONS)

        assert text.count(">Continue<") == 1
        assert "<b>mine</b>" in text
        assert "theirs" not in text

    def test_queries_do_not_grow_with_accesses(self, sign_in, devops, cluster, django_assert_max_num_queries):
        for number in range(30):
            factories.make_access(cluster=cluster, name=f"a-{number}")
        browser = sign_in(devops)

        with django_assert_max_num_queries(12):
            browser.get(ADD_ONS)


class TestRows:
    """What a row says of an access, whatever its provider and its method."""

    @pytest.fixture
    def row(self, show, viewer):
        def act(name):
            items = re.findall(r'<li class="access">(.*?)</li>', show(viewer, ADD_ONS), re.DOTALL)
            return next(item for item in items if f"<b>{name}</b>" in item)

        return act

    def test_the_three_states_stand_beside_each_other_with_reason_and_age(self, row, access):
        now = timezone.now()
        found(
            access, accepted_at=now, validated=False, validated_reason="It has no key.", validated_at=now,
            verified_at=now - datetime.timedelta(hours=3), tested_at=now,
        )  # fmt: skip

        text = row("aws")

        for word, reason in (
            ("Accepted", "The API server took the store."),
            ("Not validated", "It has no key."),
            ("Verified", "The console listed names with its identity."),
        ):
            assert f">{word}</span>" in text
            assert f">{reason}</p>" in text
        assert text.count("<time ") == 3
        assert ">3 h ago</time>" in text

    def test_keys_are_whoever_the_last_test_signed_in_as(self, row, access):
        before = row("aws")
        facts = [{"label": "Sign in", "ok": True, "text": "As arn:aws:iam::123456789012:user/reader"}]
        found(access, result={"facts": facts})

        assert "Not signed in yet" in before
        assert "<code>arn:aws:iam::123456789012:user/reader</code>" in row("aws")
        assert "Copy the identity" in row("aws")

    def test_what_was_refused_is_no_identity(self, row, access):
        found(access, result={"facts": [{"label": "Sign in", "ok": False, "text": "As if it were"}]})

        assert "Not signed in yet" in row("aws")

    @pytest.mark.parametrize("method", ["role", "federation"])
    def test_a_role_is_its_arn(self, row, cluster, method):
        arn = "arn:aws:iam::123456789012:role/reader"
        configuration = {"region": "eu-west-3", "role_arn": arn}
        factories.make_access(cluster=cluster, name="role", method=method, configuration=configuration)

        assert f"<code>{arn}</code>" in row("role")

    def test_a_cloud_credential_lends_its_identity(self, row, cluster, organization):
        credential = factories.make_cloud_credential(organization=organization)
        factories.make_access(cluster=cluster, name="lent", cloud_credential=credential, credential=None)

        assert credential.identity in row("lent").replace("</span><span>", "")

    def test_automatic_is_the_role_that_a_deploy_made(self, row, cluster):
        access = factories.make_access(cluster=cluster, name="auto", method="automatic", credential=None)
        before = row("auto")
        made(access, "arn:aws:iam::123456789012:role/keyhaven-auto")

        assert "The next deploy makes it" in before
        assert "role/keyhaven-auto" in row("auto").replace("</span><span>", "")

    def test_the_operators_own_is_said(self, row, cluster):
        factories.make_access(cluster=cluster, name="own", method="ambient", credential=None)

        assert "The operator's own" in html.unescape(row("own"))

    def test_google_has_a_project_and_an_e_mail(self, row, cluster):
        email = "reader@acme-1.iam.gserviceaccount.com"
        factories.make_access(
            cluster=cluster, name="gcp", provider="gcp-secret-manager", method="workload-identity",
            configuration={"project": "acme-1", "region": "europe-west9", "email": email}, credential=None,
        )  # fmt: skip

        text = row("gcp")

        assert "<dt>Project</dt><dd>acme-1 · Paris, europe-west9</dd>" in text
        assert f"<code>{email}</code>" in text
        assert "Workload identity" in text

    @pytest.mark.parametrize(
        ("left", "word", "tone"),
        [
            ({"hours": 3, "minutes": 1}, "Ends in 3 h", "idle"),
            ({"days": 3, "minutes": 1}, "Ends in 3 d", "idle"),
            ({"hours": 1, "minutes": 31}, "Ends in 1 h", "warn"),
            ({"minutes": 5, "seconds": 30}, "Ends in 5 min", "warn"),
            ({"minutes": -10, "seconds": -5}, "Ended 10 min ago", "bad"),
        ],
    )
    def test_a_session_token_counts_down(self, row, access, left, word, tone):
        found(access, expires_at=timezone.now() + datetime.timedelta(**left))

        text = row("aws")

        assert f'<span class="badge t-{tone}">{word}</span>' in text
        assert "Session token" in text

    def test_without_an_end_nothing_counts_down(self, row, access):
        assert "Session token" not in row("aws")
        assert states.expiry(access) is None

    def test_the_count_leads_to_the_usage_and_the_menu_has_the_four_acts(self, show, devops, row, access):
        assert f'href="{AWS}usage/"' in row("aws")
        assert "popover" not in row("aws")

        menu = re.search(r'id="menu-.*?</div>', show(devops, ADD_ONS), re.DOTALL)[0]

        assert re.findall(r"</svg> ([\w… ]+)<", menu) == ["Open", "Test again", "Edit", "Usage", "Delete…"]


def made(access, arn):
    """Note that automatic mode made a role for an access."""
    return Identity.objects.create(
        cluster=access.cluster, access_id=access.pk, access_name=access.name, cloud="aws",
        credential=factories.make_cloud_credential(organization=access.cluster.organization),
        facts={"role_name": arn.rpartition("/")[2], "role_arn": arn},
    )  # fmt: skip


class TestDetail:
    def test_whose_it_is_and_what_may_trust_it(self, show, viewer, cluster):
        arn = "arn:aws:iam::123456789012:role/reader"
        access = factories.make_access(
            cluster=cluster, name="aws", method="role", credential=None,
            configuration={"region": "eu-west-3", "role_arn": arn},
        )  # fmt: skip

        text = show(viewer, AWS).replace("</span><span>", "")

        assert arn in text
        assert '<dt>Account</dt><dd class="mono">123456789012</dd>' in text
        assert f"system:serviceaccount:external-secrets:{access.service_account}" in text
        assert "Copy the ServiceAccount's subject" in text
        assert "None is stored" in text
        assert "Europe (Paris), eu-west-3" in text

    def test_keys_have_no_serviceaccount(self, show, viewer, access):
        assert "system:serviceaccount" not in show(viewer, AWS)

    def test_a_cloud_credential_is_named_with_its_age(self, show, viewer, cluster, organization):
        credential = factories.make_cloud_credential(organization=organization, name="console")
        factories.make_access(cluster=cluster, name="aws", cloud_credential=credential, credential=None)

        text = show(viewer, AWS)

        assert re.search(r"<dt>Cloud credential</dt><dd>(<a [^>]*>)?console", text)

    def test_a_token_that_ends_says_when_and_what_to_do(self, show, viewer, access):
        found(access, expires_at=datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC))

        text = show(viewer, AWS)

        assert "It ended at 2026-01-02 03:04 UTC" in text
        assert "enter new keys" in text

    def test_the_first_links_are_shown_and_the_usage_has_all(self, show, viewer, access, cluster):
        service = factories.make_service(cluster=cluster)
        for _ in range(7):
            factories.make_link(access=access, service=service)

        text = show(viewer, AWS)

        assert text.count(f"/o/acme/clusters/prod/services/{service.pk}/") == 5
        assert f'href="{AWS}usage/">See all 7</a>' in text

    def test_it_shows_what_a_deploy_applies_and_no_value(self, show, viewer, access):
        text = show(viewer, AWS)

        assert "kind: ClusterSecretStore" in text
        assert "kind: Secret" in text
        assert "&lt;set, not shown&gt;" in text
        assert SECRET not in text
        assert access.credential["access_key_id"] not in text

    def test_before_the_first_deploy_it_says_what_happens_next(self, show, devops, access):
        before = show(devops, AWS)
        found(access, accepted_at=timezone.now())

        assert "What happens next" in before
        assert "Deploy prod" in before
        assert "What happens next" not in show(devops, AWS)

    def test_a_change_that_is_not_deployed_is_said_where_it_was_made(
        self, show, devops, viewer, access, cluster
    ):
        found(access, accepted_at=timezone.now())
        cluster.generation, cluster.deployed_generation = 2, 1
        cluster.save()

        text = show(devops, AWS)

        assert "The configuration changed since the last deploy" in text
        assert 'id="review"' in text
        assert 'id="review"' not in show(viewer, AWS)
        assert "Review changes" in show(viewer, AWS)
        cluster.deployed_generation = 2
        cluster.save()
        assert 'id="deploy-banner"' not in show(devops, AWS)

    def test_names_seen_by_a_test_are_not_shown_to_who_may_not_browse(self, show, viewer, access):
        facts = [{"label": "List secrets", "ok": True, "text": ""}]
        found(access, tested_at=timezone.now(), result={"facts": facts, "names": ["prod/db-password"]})

        text = show(viewer, AWS)

        assert "List secrets: OK" in text
        assert "prod/db-password" not in text

    def test_a_missing_permission_comes_with_the_policy_to_copy(self, show, viewer, access):
        facts = [{"label": "List secrets", "ok": False, "text": "Denied: missing secretsmanager:ListSecrets"}]
        result = {
            "facts": facts,
            "usable": True,
            "reason": "Lacks it.",
            "remedy": "Allow it.",
            "policy": "POLICY",
        }
        found(access, tested_at=timezone.now(), verified_error="Lacks it.", result=result)

        text = show(viewer, AWS)

        assert "List secrets: denied" in text
        assert "Copy the missing policy" in text

    def test_what_is_linked_for_a_namespace_leads_to_the_namespace(self, show, viewer, access):
        factories.make_link(access=access, service=None, namespace="shop", container="", variable="DSN")

        text = show(viewer, AWS)

        assert f"/clusters/{access.cluster.name}/namespaces/shop/" in text
        assert "every service of the namespace" in text

    def test_what_is_linked_leads_to_its_service(self, show, viewer, access, cluster):
        service = factories.make_service(cluster=cluster, name="api", namespace="shop")
        factories.make_link(access=access, service=service, variable="DB_PASSWORD", key="prod/db-password")

        text = show(viewer, AWS)

        assert f"/o/acme/clusters/prod/services/{service.pk}/" in text
        assert "DB_PASSWORD" in text

    def test_a_viewer_is_told_who_may_edit(self, show, viewer, devops, access):
        assert f"{AWS}edit/" not in show(viewer, AWS)
        assert f"{AWS}edit/" in show(devops, AWS)


class TestDelete:
    def test_what_would_lose_its_source_is_listed_instead_of_a_button(self, show, devops, access, cluster):
        service = factories.make_service(cluster=cluster, name="api", namespace="shop")
        factories.make_link(access=access, service=service, variable="DB_PASSWORD")

        text = show(devops, f"{AWS}delete/")

        assert "1 linked secret would lose its source" in text
        assert f"/o/acme/clusters/prod/services/{service.pk}/" in text
        assert "Delete aws</button>" not in text

    def test_an_unused_one_is_deleted_by_its_name(self, show, devops, access):
        text = show(devops, f"{AWS}delete/")

        assert access.store_name in text
        assert "Delete aws</button>" in text
        assert "Its credential, a Secret" in text

    def test_who_uses_it_can_be_moved_from_here(self, show, devops, access, cluster):
        factories.make_link(access=access, service=factories.make_service(cluster=cluster))

        text = show(devops, f"{AWS}delete/")

        assert f'href="{AWS}move/?then=delete">' in text
        assert "Move these to another access" in text

    def test_no_more_than_fifty_users_are_listed(
        self, sign_in, devops, access, cluster, django_assert_max_num_queries
    ):
        service = factories.make_service(cluster=cluster)
        for _ in range(60):
            factories.make_link(access=access, service=service)
        browser = sign_in(devops)

        with django_assert_max_num_queries(12):
            text = browser.get(f"{AWS}delete/").content.decode()

        assert text.count('<a class="name mono"') == 50
        assert "The first 50 of 60 are shown." in text

    def test_what_automatic_mode_made_goes_and_what_it_did_not_stays(self, show, devops, cluster):
        auto = factories.make_access(cluster=cluster, name="auto", method="automatic", credential=None)
        made(auto, "arn:aws:iam::123456789012:role/keyhaven-auto")
        arn = "arn:aws:iam::123456789012:role/ours"
        configuration = {"region": "eu-west-3", "role_arn": arn}
        factories.make_access(cluster=cluster, name="role", method="role", configuration=configuration)

        automatic = show(devops, f"{AWS}delete/".replace("/aws/", "/auto/")).replace("</span><span>", "")
        role = show(devops, f"{AWS}delete/".replace("/aws/", "/role/"))

        assert re.search(r"<dt>Its IAM role</dt><dd>.*role/keyhaven-auto", automatic)
        assert f"external-secrets/{auto.service_account}" in automatic
        assert f'<span class="mono">{arn}</span>, which was not made by Keyhaven' in role
        assert "Its IAM role" not in role


@pytest.mark.parametrize(
    ("cloud", "facts", "shown"),
    [
        ("aws", {"role_arn": "arn:aws:iam::123456789012:role/keyhaven-aws"}, "role/keyhaven-aws"),
        ("gcp", {"email": "keyhaven-1@acme-prod.iam.gserviceaccount.com"}, "keyhaven-1@acme-prod"),
    ],
)
def test_who_would_disconnect_a_cluster_is_told_what_stays_in_its_cloud(
    organization, devops, sign_in, cloud, facts, shown
):
    access = factories.make_access(cluster=factories.make_cluster(organization=organization, name="stays"))
    credential = factories.make_cloud_credential(organization=organization)
    Identity.objects.create(
        cluster=access.cluster, access_id=access.pk, access_name=access.name, cloud=cloud, credential=credential,
        facts=facts,
    )  # fmt: skip

    page = sign_in(devops).get("/o/acme/clusters/stays/danger/")

    assert page.status_code == 200
    assert shown in page.content.decode()
