"""docs/refusals.md says what the code says, and docs/add-a-cloud.md is true."""

import re

import pytest

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
