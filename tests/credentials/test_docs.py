"""docs/refusals.md says what the code says, and docs/credentials.md knows each way to sign in."""

import re

import pytest

from credentials import clouds
from credentials.clouds.azure import roles
from credentials.clouds.google import policies
from credentials.clouds.scaleway import policies as scaleway
from tests.credentials import refusals


@pytest.fixture(scope="module")
def sections(project):
    """The rows of docs/refusals.md as (what is said, what to do), by their heading."""
    text = (project / "docs" / "refusals.md").read_text()
    found = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        rows = [line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("| ")]
        found[heading] = [tuple(cell.strip() for cell in row) for row in rows[1:]]
    return found


@pytest.mark.parametrize("cloud", ["AWS", "Google Cloud", "Azure", "Scaleway"])
def test_each_refusal_that_has_a_sentence_stands_under_its_cloud(sections, cloud):
    told = refusals.tables()[cloud]

    assert len(told) > 5
    assert [one for one in told if one not in sections[cloud]] == []


def test_nothing_is_said_that_the_code_does_not_say(sections):
    cells = [cell for rows in sections.values() for row in rows for cell in row]

    assert len(cells) > 100
    assert [cell for cell in cells if not refusals.is_said(cell)] == []


def test_what_the_code_does_not_say_is_seen():
    assert not refusals.is_said("AWS does not like these keys.")


class TestCredentials:
    @pytest.fixture
    def text(self, project):
        return (project / "docs" / "credentials.md").read_text()

    @pytest.mark.parametrize("cloud", clouds.CLOUDS.values(), ids=clouds.CLOUDS)
    def test_each_way_has_a_row_and_those_without_a_key_are_marked(self, text, cloud):
        ways = re.findall(rf"^\| {cloud.label} \| ([^|]+) \|", text, re.MULTILINE)

        assert f"\n### {cloud.label}\n" in text
        assert [way.startswith("**") for way in ways] == [method.keyless for method in cloud.methods]
        assert all(
            method.label.split()[0].lower() in way.lower()
            for method, way in zip(cloud.methods, ways, strict=True)
        )

    def test_the_least_permissions_are_the_policies_own(self, text):
        wanted = [*policies.LOOKING, scaleway.READ, scaleway.IAM, scaleway.MANAGER, "eks:ListClusters"]

        assert [name for name in wanted if f"`{name}`" not in text] == []
        assert f"{'seven' if len(policies.AUTOMATIC) == 7 else '?'} more where deploys make" in text
        assert roles.CONNECTING.split("/")[-2] in text
