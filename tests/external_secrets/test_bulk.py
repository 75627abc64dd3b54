"""A list of secrets is read, judged line by line, and linked as a whole; links move to another place."""

import pytest

from external_secrets import listing
from external_secrets.models import ExternalSecret, InventoryState
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(sign_in, devops):
    return sign_in(devops)


@pytest.fixture
def post(person, url, access, service):
    def act(lines, query="", headers=None, **fields):
        place = {"scope": "service", "place": f"{service.pk}:web", "refresh_seconds": "3600"}
        return person.post(
            url("bulk") + query, {"access": access.pk, "lines": lines} | place | fields, headers=headers
        )

    return act


class TestReading:
    @pytest.mark.parametrize(
        ("text", "variable", "key", "json_field"),
        [
            ("DB=prod/db", "DB", "prod/db", ""),
            ("DB_PASSWORD=prod/db#password", "DB_PASSWORD", "prod/db", "password"),
            ("export DB = prod/db", "DB", "prod/db", ""),
            ('DB="prod/db"', "DB", "prod/db", ""),
            ("DB='prod/db#user'  # who", "DB", "prod/db", "user"),
            ("DB=prod/db # the database", "DB", "prod/db", ""),
            ("prod/db", "DB", "prod/db", ""),
            ("prod/db#password", "DB_PASSWORD", "prod/db", "password"),
            ("export prod/db", "DB", "prod/db", ""),
            ("prod/a=b", "A_B", "prod/a=b", ""),
            ("  DB=prod/db\r", "DB", "prod/db", ""),
        ],
    )
    def test_lines(self, access, text, variable, key, json_field):
        (line,) = listing.read(access, text).lines

        assert (line.error, line.variable, line.key, line.json_field) == ("", variable, key, json_field)

    def test_what_says_nothing_is_left_out_and_numbers_are_kept(self, access):
        found = listing.read(access, "# secrets\r\n\r\nA=prod/a\r\n   \r\n#B=prod/b\r\nC=prod/c\r\n")

        assert [(line.number, line.variable) for line in found.lines] == [(3, "A"), (6, "C")]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("1BAD=prod/db", "1BAD is not a legal name"),
            ("my-var=prod/db", "my-var is not a legal name"),
            ("é=prod/db", "not a legal name"),
            ("DB=", "DB names no secret"),
            ("DB=''", "DB names no secret"),
            ('DB="prod/db', "has no end"),
            ("DB='a' b", "stands behind the quotes"),
            ("DB=prod/db#", ""),
            ("A" * 201 + "=x", "more than 200"),
        ],
    )
    def test_lines_that_say_what_is_wrong(self, access, text, words):
        (line,) = listing.read(access, text).lines

        assert line.error
        assert words in line.error

    def test_two_lines_of_one_variable(self, access):
        first, second = listing.read(access, "prod/db\nDB=other").lines

        assert (first.error, second.error) == ("", "Line 1 makes DB too.")

    def test_names_that_end_alike_get_variables_of_their_own(self, access):
        text = listing.write(["prod/db/password", "stage/db/password", 'we"ird', "a b"])

        assert text.splitlines() == [
            "PASSWORD=prod/db/password", "DB_PASSWORD=stage/db/password", "WE_IRD='we\"ird'", 'A_B="a b"',
        ]  # fmt: skip
        assert not listing.read(access, text).lines[0].error


class TestThePage:
    def test_chosen_names_are_lines_already(self, person, url, access, fill):
        fill("prod/db", "prod/api/key")

        text = person.get(
            url("bulk"), {"access": access.pk, "key": ["prod/db", "prod/api/key"]}
        ).content.decode()

        assert "DB=prod/db\nKEY=prod/api/key" in text
        assert "2 lines" in text

    def test_all_are_linked(self, post, fill, service):
        fill("prod/a", "prod/b")

        response = post("A=prod/a\nB=prod/b#field", refresh_seconds="900")

        assert response.headers["Location"].endswith(f"/services/{service.pk}/")
        assert set(ExternalSecret.objects.values_list("variable", "json_field", "refresh_seconds")) == {
            ("A", "", 900), ("B", "field", 900),
        }  # fmt: skip

    def test_to_a_namespace(self, post, fill):
        fill("prod/a")

        post("A=prod/a", scope="namespace", namespace="shop")

        assert ExternalSecret.objects.get().service is None

    def test_a_wrong_line_stops_all_and_nothing_is_lost(self, post, fill):
        fill("prod/a")

        response = post("A=prod/a\nLOG_LEVEL=prod/a\n2B=prod/a")

        assert response.status_code == 422
        errors = response.context["form"].errors["lines"]
        assert any(error.startswith("Line 2: ") and "from value" in error for error in errors)
        assert any(error.startswith("Line 3: 2B is not a legal name") for error in errors)
        assert "A=prod/a\nLOG_LEVEL=prod/a\n2B=prod/a" in response.content.decode()
        assert not ExternalSecret.objects.exists()

    def test_a_name_that_is_not_there_is_an_error_as_in_the_form_of_one(self, post, fill):
        fill("prod/a")

        shown = post("A=prod/nope", "?preview=1", {"HX-Request": "true"}).content.decode()
        response = post("A=prod/nope")

        assert "There is no secret named prod/nope in aws." in shown
        assert "<html" not in shown
        assert response.status_code == 422
        assert not ExternalSecret.objects.exists()

    def test_of_another_accounts_secret_nothing_is_known(self, post, fill):
        fill("prod/a")
        elsewhere = "arn:aws:secretsmanager:eu-west-3:999999999999:secret:shared-AbCdEf"

        shown = post(f"A={elsewhere}", "?preview=1", {"HX-Request": "true"}).content.decode()

        assert "aws lists no such name." in shown

    def test_of_an_inventory_that_was_cut_nothing_is_known_either(self, post, fill):
        fill("prod/a")
        InventoryState.objects.update(truncated=True)

        response = post("A=prod/nope")

        assert response.status_code == 302

    def test_while_nothing_was_read_nothing_is_said_of_names(self, post, access):
        InventoryState.objects.create(access=access, cause="refused", error="May not list.")

        assert "no such name" not in post("A=prod/nope", "?preview=1").content.decode()

    def test_checking_makes_nothing(self, post, fill):
        fill("prod/a")

        response = post("A=prod/a", check="1")

        assert response.status_code == 200
        assert "A=prod/a" in response.content.decode()
        assert not ExternalSecret.objects.exists()

    @pytest.mark.parametrize("lines", ["", "# nothing\n\n", "   "])
    def test_nothing_to_link(self, post, lines):
        assert post(lines).context["form"].errors["lines"]

    def test_more_than_a_thousand_lines(self, post):
        response = post("\n".join(f"V{number}=prod/{number}" for number in range(1001)))

        assert "These are 1001 lines; link at most 1000 at once." in response.context["form"].errors["lines"]
        assert not ExternalSecret.objects.exists()

    def test_the_number_of_queries_does_not_grow(self, post, fill, django_assert_max_num_queries):
        fill(*(f"prod/{number}" for number in range(1000)))
        lines = "\n".join(f"V{number}=prod/{number}" for number in range(1000))

        with django_assert_max_num_queries(45):
            assert post(lines).status_code == 302

        assert ExternalSecret.objects.count() == 1000

    def test_another_organizations_access_is_not_found(self, person, url):
        assert person.get(url("bulk"), {"access": factories.make_access().pk}).status_code == 404

    def test_a_viewer_may_not(self, sign_in, viewer, url, access):
        assert sign_in(viewer).get(url("bulk"), {"access": access.pk}).status_code == 403


class TestMoving:
    @pytest.fixture
    def links(self, service, access):
        return [factories.make_link(service=service, access=access, variable=name) for name in ("A", "B")]

    def test_chosen_links_move(self, person, url, links, cluster):
        other = factories.make_service(cluster=cluster, name="worker")
        chosen = [str(link.pk) for link in links]
        assert "Move 2 secrets" in person.get(url("relocate"), {"link": chosen}).content.decode()

        response = person.post(
            url("relocate"), {"link": chosen, "scope": "service", "place": f"{other.pk}:web"}
        )

        assert response.headers["Location"].endswith(f"/services/{other.pk}/")
        assert {link.service for link in ExternalSecret.objects.all()} == {other}

    def test_what_is_in_the_way_is_named_and_none_moves(self, person, url, links, cluster, access, service):
        other = factories.make_service(cluster=cluster, name="worker")
        factories.make_link(service=other, access=access, variable="B", key="prod/there")

        response = person.post(
            url("relocate"),
            {"link": [str(link.pk) for link in links], "scope": "service", "place": f"{other.pk}:web"},
        )

        assert response.status_code == 422
        assert "B: The container web already has B, from the secret prod/there" in response.content.decode()
        assert ExternalSecret.objects.filter(service=service).count() == 2

    def test_more_than_can_move_at_once_is_said_and_none_is_left_out(
        self, person, url, service, access, cluster
    ):
        other = factories.make_service(cluster=cluster, name="worker")
        chosen = [str(factories.make_link(service=service, access=access).pk) for _ in range(201)]

        response = person.post(
            url("relocate"), {"link": chosen, "scope": "service", "place": f"{other.pk}:web"}, follow=True
        )

        assert "These are 201 secrets; move at most 200 at once" in response.content.decode()
        assert not ExternalSecret.objects.filter(service=other).exists()

    def test_others_links_are_not_found(self, person, url, links):
        theirs = factories.make_link()

        assert person.get(url("relocate"), {"link": [str(theirs.pk)]}).status_code == 404
        assert person.get(url("relocate"), {"link": [str(links[0].pk), str(theirs.pk)]}).status_code == 404
        assert person.get(url("relocate"), {"link": ["nonsense"]}).status_code == 404
