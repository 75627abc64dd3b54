"""The pages of the audit log: filters in the address, pages of it, one event, what follows the log, links."""

import re

import pytest
from django.urls import reverse

from accounts.audit import actions, origin, services
from accounts.models import AuditEvent, Organization
from accounts.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db
LOG = "/o/acme/audit/"
HTMX = {"HTTP_HX_REQUEST": "true"}


def record(organization, by, action="organization.renamed", target=None, **details):
    return services.record(
        organization=organization, by=by, action=action, target=target or organization, details=details
    )


def sequences(response):
    return [row.sequence for row in response.context["rows"]]


@pytest.fixture
def browser(sign_in, auditor):
    return sign_in(auditor)


@pytest.fixture
def found(browser):
    """Return the numbers of the events that a filter finds."""

    def act(query):
        response = browser.get(f"{LOG}?{query}")
        assert response.status_code == 200
        return sequences(response)

    return act


class TestPaging:
    def test_newest_first_then_older_last_newer_and_first(self, browser, organization, admin):
        for number in range(120):
            record(organization, admin, number=number)

        newest = browser.get(LOG)
        older = browser.get(LOG + newest.context["older"])
        last = browser.get(LOG + newest.context["last"])
        newer = browser.get(LOG + last.context["newer"])
        first = browser.get(LOG + last.context["first"])

        assert sequences(newest) == sequences(first) == list(range(120, 70, -1))
        assert sequences(older) == list(range(70, 20, -1))
        assert sequences(last) == list(range(50, 0, -1))
        assert sequences(newer) == list(range(100, 50, -1))
        assert (newest.context["newer"], last.context["older"], last.context["last"]) == ("", "", "")

    def test_a_page_keeps_the_filter(self, browser, organization, admin, devops):
        for number in range(60):
            record(organization, admin, number=number)
            record(organization, devops, number=number)

        newest = browser.get(f"{LOG}?who={admin.pk}")
        older = browser.get(LOG + newest.context["older"])

        assert f"who={admin.pk}" in newest.context["older"]
        assert len(sequences(older)) == 10
        assert {row.who for row in older.context["rows"]} == {str(admin)}

    def test_the_log_shows_only_its_own_organization(self, sign_in, organization, admin, outsider):
        record(organization, admin, note="acme-only")

        response = sign_in(outsider).get("/o/globex/audit/")

        assert sequences(response) == []
        assert "Nothing was done yet" in response.content.decode()

    def test_a_place_with_nothing_beyond_is_not_drawn_as_an_empty_log(self, browser, organization, admin):
        record(organization, admin)

        page = browser.get(f"{LOG}?before=1").content.decode()

        assert "No events on this page" in page
        assert "Nothing was done yet" not in page


class TestFilters:
    def test_who_a_person_a_machine_and_the_console_itself(self, found, organization, admin, devops):
        machine = factories.make_member(organization, Role.DEVOPS, name="ci", is_machine=True)
        for who in (admin, machine, None):
            record(organization, who)

        assert found(f"who={admin.pk}") == [1]
        assert found(f"who={machine.pk}") == [2]
        assert found("who=-") == [3]
        assert found("who=nobody-of-that-name") == []

    def test_those_who_occur_can_be_chosen(self, browser, organization, admin, devops):
        record(organization, admin)

        page = browser.get(f"{LOG}?who={admin.pk}").content.decode()

        (choices,) = re.findall(r'<select[^>]* name="who">(.*?)</select>', page)
        assert re.findall(r'<option value="([^"]*)"( selected)?>([^<]*)', choices) == [
            ("", "", "Anybody"),
            (str(admin.pk), " selected", str(admin)),
            ("-", "", "Keyhaven itself"),
        ]

    def test_an_action_and_a_whole_group(self, found, organization, admin):
        for action in ("role.created", "member.added", "role.deleted", "signed_out", "sign_in.failed"):
            record(organization, admin, action)

        assert found("action=role.deleted") == [3]
        assert found("action=role.*") == [3, 1]
        assert found("action=member.*") == [3, 2, 1], "the group of members holds the roles too"
        assert found("action=sign_in.*") == [5, 4]

    def test_every_action_and_group_can_be_chosen(self, browser):
        page = browser.get(f"{LOG}?action=deploy.*").content.decode()

        assert set(re.findall(r'<option value="([a-z_]+\.[a-z_]+)"', page)) == {
            code for code in actions.ACTIONS if "." in code
        }
        assert '<option value="deploy.*" selected>' in page

    def test_an_outcome(self, found, organization, admin):
        for action in ("role.created", "sign_in.failed", "permission.refused"):
            record(organization, admin, action)

        assert [found(f"outcome={word}") for word in ("done", "failed", "refused")] == [[1], [2], [3]]

    def test_one_object_and_its_kind(self, found, organization, admin):
        one, other = (factories.make_cluster(organization=organization, name=name) for name in ("one", "two"))
        for target in (one, other, organization):
            record(organization, admin, target=target)

        assert found(f"type=cluster&object={one.pk}") == [1]
        assert found("type=cluster") == [2, 1]
        assert found("cluster=two") == [2]

    def test_from_where(self, found, organization, admin):
        record(organization, admin)
        with origin.of_request(address="203.0.113.9", user_agent="curl", request_id="r1"):
            record(organization, admin)
            record(organization, admin)

        assert found("origin=cli") == [1]
        assert found("address=203.0.113.9") == [3, 2]
        assert found("request=r1") == [3, 2]

    def test_words_anywhere(self, found, organization, admin):
        record(organization, admin, target=factories.make_cluster(organization=organization, name="paris"))
        record(organization, admin)

        assert found("q=PARI") == [1]
        assert found("q=organization.renamed") == [2, 1]
        assert found("q=100%25") == []

    def test_times(self, found, organization, admin):
        event = record(organization, admin)
        day, minute = f"{event.at:%Y-%m-%d}", f"{event.at:%Y-%m-%dT%H:%M}"

        assert found(f"start={day}&end={day}") == found(f"start={minute}&end={minute}") == [1]
        assert found("end=2001-01-01") == found("start=2999-01-01") == []
        assert [found(f"range={word}") for word in ("1h", "7d", "30d")] == [[1], [1], [1]]

    @pytest.mark.parametrize(
        "query",
        ["start=someday", "start=2026-02-02&end=2026-01-01", "outcome=odd", "before=x", "range=never"],
    )
    def test_a_filter_that_cannot_be_is_said_and_lists_nothing(self, browser, organization, admin, query):
        record(organization, admin)

        response = browser.get(f"{LOG}?{query}")

        assert response.status_code == 422
        assert "The filter cannot be used" in response.content.decode()
        assert sequences(response) == []

    def test_nothing_that_matches_is_said_with_a_way_back(self, browser, organization, admin):
        record(organization, admin)

        page = browser.get(f"{LOG}?q=nothing-of-that-kind").content.decode()

        assert "No event matches" in page
        assert "Clear filters" in page

    def test_each_filter_can_be_taken_away(self, browser, organization, admin):
        record(organization, admin)

        response = browser.get(f"{LOG}?who={admin.pk}&action=organization.*&range=7d")

        chips = {chip.label: chip for chip in response.context["chips"]}
        assert [chips[name].value for name in ("Who", "Action", "Time")] == [
            str(admin), "Organization (all)", "Last 7 days",
        ]  # fmt: skip
        assert chips["Who"].url == "?action=organization.%2A&range=7d"

    def test_what_is_filtered_in_place_can_be_exported(self, browser, organization, admin):
        record(organization, admin)

        part = browser.get(f"{LOG}?who={admin.pk}", **HTMX).content.decode()

        assert f'href="{LOG}export/?who={admin.pk}&amp;format=csv"' in part
        assert "Pages of the log" not in part, "there is but one page"

    def test_a_part_tells_the_address_without_empty_fields(self, browser, organization, admin):
        record(organization, admin)

        response = browser.get(f"{LOG}?q=&who={admin.pk}&action=&before=", **HTMX)

        assert response.headers["HX-Push-Url"] == f"{LOG}?who={admin.pk}"
        assert "<html" not in response.content.decode()


class TestRows:
    def test_an_event_is_a_sentence_with_a_link(self, browser, organization, admin):
        cluster = factories.make_cluster(organization=organization, name="prod")
        record(organization, admin, "cluster.connected", cluster)

        (row,) = browser.get(LOG).context["rows"]

        assert (row.who, row.roles) == (str(admin), "Admin")
        assert (row.before, row.object, row.after) == ("connected the cluster ", "prod", "")
        assert row.url == "/o/acme/clusters/prod/"
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row.time)

    def test_what_is_gone_has_no_link(self, browser, organization, admin):
        cluster = factories.make_cluster(organization=organization, name="prod")
        record(organization, admin, "cluster.disconnected", cluster)
        cluster.delete()

        (row,) = browser.get(LOG).context["rows"]

        assert (row.object, row.url) == ("prod", "")

    def test_every_kind_of_object_leads_to_its_page(self, browser, organization, admin, auditor):
        cluster = factories.make_cluster(organization=organization, name="prod")
        service = factories.make_service(cluster=cluster, namespace="shop")
        access = factories.make_access(cluster=cluster, name="aws", namespaces=["shop"])
        link = factories.make_link(service=service, access=access)
        whole = factories.make_link(
            service=None, access=access, namespace="shop", container="", variable="", takes="keys"
        )
        credential = factories.make_cloud_credential(organization=organization, name="aws-prod")
        member = auditor.memberships.get()
        for target in (cluster, service, access, link, whole, credential, member):
            record(organization, admin, "cluster.connected", target)

        rows = browser.get(LOG).context["rows"]

        assert len(rows) == 7
        assert {row.object: browser.get(row.url).status_code for row in rows if row.url} == {
            row.object: 200 for row in rows
        }

    def test_the_number_of_queries_does_not_grow(
        self, browser, organization, admin, django_assert_max_num_queries
    ):
        for number in range(50):
            cluster = factories.make_cluster(organization=organization, name=f"c{number}")
            record(organization, admin, "cluster.connected", cluster)
        browser.get(LOG)

        with django_assert_max_num_queries(12):
            browser.get(LOG)


class TestOneEvent:
    def test_what_was_before_and_after(self, browser, organization, admin):
        record(
            organization, admin, changes={"name": ["Acme", "Acme Corp"], "roles": [["a", "b"], ["b", "c"]]}
        )

        detail = browser.get(f"{LOG}1/").context["detail"]

        assert [(one.label, one.was, one.now) for one in detail.changes] == [
            ("name", ["Acme"], ["Acme Corp"]), ("roles", ["a"], ["c"]),
        ]  # fmt: skip

    def test_marks_say_it_without_colour(self, browser, organization, admin):
        record(organization, admin, changes={"name": ["Acme", "Acme Corp"]})

        page = browser.get(f"{LOG}1/").content.decode()

        assert re.search(r"<del class=\"t-bad\">.*−.*Acme</bdi></del>", page)
        assert re.search(r"<ins class=\"t-ok\">.*\+.*Acme Corp</bdi></ins>", page)

    def test_the_part_is_what_a_row_opens_to(self, browser, organization, admin):
        event = record(organization, admin, number=7)

        part = browser.get(f"{LOG}1/", **HTMX).content.decode()

        assert "<html" not in part
        assert event.hash[:40] in part
        assert "its history" in part

    def test_its_neighbours_are_a_step_away(self, browser, organization, admin):
        for _ in range(3):
            record(organization, admin)

        context = browser.get(f"{LOG}2/").context

        assert (context["older"], context["newer"]) == (1, 3)

    def test_one_that_is_not_there_is_not_found(self, browser, organization, admin):
        other = Organization.objects.create(name="Other", slug="other")
        record(other, admin)

        assert browser.get(f"{LOG}1/").status_code == 404
        assert browser.get(f"{LOG}{2**70}/").status_code == 404

    def test_details_of_any_shape_are_shown(self, browser, organization, admin):
        services.record(
            organization=organization,
            by=admin,
            action="organization.renamed",
            target=organization,
            details={
                "changes": "odd",
                "list": [1, {"a": None}],
                "no": False,
                "empty": "",
                "deep": {"a": [1]},
            },
        )

        facts = dict(browser.get(f"{LOG}1/").context["detail"].facts)

        assert facts["changes"] == "odd"
        assert (facts["no"], facts["empty"]) == ("no", "-")


class TestFollowing:
    def test_it_is_asked_for_and_polls(self, browser, organization, admin):
        record(organization, admin)

        still = browser.get(LOG).content.decode()
        live = browser.get(f"{LOG}?live=1").content.decode()

        assert "every 2s" not in still
        assert 'hx-trigger="every 2s"' in live
        assert "data-poll" in live

    def test_nothing_new_is_no_content(self, browser, organization, admin):
        record(organization, admin)

        assert browser.get(f"{LOG}?tail=1", **HTMX).status_code == 204

    def test_what_is_new_comes_once_and_moves_the_place(self, browser, organization, admin, devops):
        record(organization, admin)
        for _ in range(2):
            record(organization, devops)

        first = browser.get(f"{LOG}?tail=1", **HTMX)
        again = browser.get(f"{LOG}?tail=3", **HTMX)

        assert sequences(first) == [3, 2]
        assert "tail=3" in first.content.decode()
        assert "2 new events" in first.content.decode()
        assert again.status_code == 204

    def test_many_new_ones_come_one_page_after_the_other(self, browser, organization, admin):
        for _ in range(70):
            record(organization, admin)

        first = browser.get(f"{LOG}?tail=0", **HTMX)
        second = browser.get(f"{LOG}?tail=50", **HTMX)

        assert sequences(first) + sequences(second) == [*range(50, 0, -1), *range(70, 50, -1)]

    def test_what_the_filter_leaves_out_is_passed_over(self, browser, organization, admin, devops):
        record(organization, admin)

        response = browser.get(f"{LOG}?who={devops.pk}&tail=0", **HTMX)

        assert sequences(response) == []
        assert "tail=1" in response.content.decode()

    def test_without_javascript_an_address_with_a_place_is_the_whole_page(self, browser, organization, admin):
        record(organization, admin)

        assert "<html" in browser.get(f"{LOG}?tail=0").content.decode()


ODD = [
    ("a\r\nb", "a␍␊b"),
    ("a\x1b[31mred", "a␛[31mred"),
    ("gnp.\u202eexe", "gnp.⟨U+202E⟩exe"),
    ("zero\u200bwidth", "zero⟨U+200B⟩width"),
    ("isolate\u2066d", "isolate⟨U+2066⟩d"),
    ("line\u2028end", "line⟨U+2028⟩end"),
    ("\x7f\x85", "⟨U+007F⟩⟨U+0085⟩"),
]
FIELDS = ("actor_name", "role", "token", "target_name", "cluster", "user_agent", "address", "details")


@pytest.mark.parametrize(("text", "shown"), ODD)
def test_what_draws_nothing_is_written_out_in_every_field(browser, organization, admin, text, shown):
    user = factories.make_user(name=text)
    with origin.of_request(address=text[:40], user_agent=text, request_id="r"):
        origin.entered(organization_id=organization.pk, user_id=user.pk, roles=text, token=text)
        record(
            organization, user, target=factories.make_cluster(organization=organization, name=text[:30]),
            **{text: text, "changes": {text: [text, [text]]}},
        )  # fmt: skip

    pages = [browser.get(url).content.decode() for url in (LOG, f"{LOG}1/", f"{LOG}?q={shown}")]

    odd = {one for one in text if not one.isprintable()} - {"\n"}
    read = [re.sub(r"<[^>]*>", "", page) for page in pages]
    assert all(not odd & set(page) for page in read)
    assert all(shown in page for page in pages)


PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "{{7*7}}{% debug %}",
    "</bdi></summary><iframe src=//evil>",
    "<a href='data:text/html,x'>x</a>",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_names_are_text_and_nothing_else(browser, organization, payload):
    user = factories.make_user(name=payload)
    cluster = factories.make_cluster(organization=organization, name=payload[:40])
    with origin.of_request(address="::1", user_agent=payload, request_id=payload[:40]):
        record(
            organization,
            user,
            "cluster.connected",
            cluster,
            **{payload: payload, "changes": {payload: [payload, payload]}},
        )

    for url in (LOG, f"{LOG}1/", f"{LOG}?q={payload}", f"{LOG}?who={user.pk}"):
        page = browser.get(url).content.decode()
        assert not re.search(r"<(script>|img src=x|svg onload|iframe|a href='data)", page)
        assert " onmouseover='alert" not in page
        assert 'href="javascript:' not in page
        assert "49" not in re.findall(r"<bdi>([^<]*)</bdi>", page)


def test_whoever_sees_the_log_sees_links_only_to_what_may_be_seen(client, organization, admin):
    from accounts.models import CustomRole, Membership

    cluster = factories.make_cluster(organization=organization, name="prod")
    record(organization, admin, "cluster.connected", cluster)
    reader = factories.make_user()
    role = CustomRole.objects.create(
        organization=organization, name="Reads the log", permissions=["audit:view", "organization:view"]
    )
    membership = Membership.objects.create(organization=organization, user=reader, roles=[])
    membership.custom_roles.add(role)
    client.force_login(reader)

    (row,) = client.get(LOG).context["rows"]

    assert (row.object, row.url) == ("prod", "")


def test_a_refusal_is_one_event(client, organization, viewer):
    client.force_login(viewer)

    client.post(reverse("credentials:new", kwargs={"org": "acme"}), {"name": "x"})

    event = AuditEvent.objects.get()
    assert (event.action, event.details["permission"], event.details["method"]) == (
        "permission.refused", "credential:manage", "POST",
    )  # fmt: skip


HISTORY = [
    ("clusters:overview", "cluster=prod"),
    ("accesses:detail", "type=access&amp;object="),
    ("external_secrets:service", "cluster=prod&amp;q=shop%2F"),
    ("credentials:detail", "type=cloudcredential&amp;object="),
    ("clusters:deploy", "type=deploy&amp;object="),
    ("accounts:member", "type=membership&amp;object="),
    ("accounts:role", "type=customrole&amp;object="),
    ("accounts:token", "type=apitoken&amp;object="),
]


@pytest.mark.parametrize(("name", "query"), HISTORY)
def test_an_object_leads_to_its_history(world, owner, client, name, query):
    client.force_login(owner)

    page = client.get(world.url(name)).content.decode()

    assert f'href="{LOG}?{query}' in page


def test_each_link_of_a_service_leads_to_its_history(world, auditor, client):
    client.force_login(auditor)

    page = client.get(world.url("external_secrets:service")).content.decode()

    assert "?type=externalsecret&amp;object=" in page


def test_whoever_may_not_see_the_log_sees_no_way_to_it(world, viewer, client):
    client.force_login(viewer)

    pages = [client.get(world.url(name)) for name, _ in HISTORY[:5]]

    assert all(page.status_code == 200 and LOG not in page.content.decode() for page in pages)
