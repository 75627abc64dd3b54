"""docs/security.md has each item that it says it has, and names nothing that is not there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings

from config.paths import BASE_DIR

# OWASP ASVS 5.0, level 2 and what is taken of level 3.
ASVS = [
    "7.2.3",
    "7.2.4",
    "7.3.1",
    "7.3.2",
    "7.4.1",
    "7.4.2",
    "7.4.5",
    "7.5.1",
    "7.5.2",
    "7.5.3",
    "3.3.1",
    "3.3.2",
    "3.3.3",
    "3.3.4",
    "3.4.1",
    "3.4.3",
    "3.4.4",
    "3.4.5",
    "3.4.6",
    "3.5.1",
    "3.5.3",
    "3.7.2",
    "8.2.1",
    "8.2.2",
    "8.2.3",
    "8.3.2",
    "8.3.3",
    "8.4.1",
    "1.2.4",
    "1.2.5",
    "1.3.6",
    "1.3.7",
    "2.2.1",
    "2.2.2",
    "2.3.3",
    "2.3.4",
    "2.4.1",
    "4.1.3",
    "15.3.2",
    "15.3.3",
    "15.3.4",
    "6.1.1",
    "6.2.1",
    "6.2.4",
    "6.2.9",
    "6.2.12",
    "6.3.1",
    "6.3.2",
    "6.3.3",
    "11.1.1",
    "11.1.2",
    "11.2.2",
    "11.3.2",
    "11.3.3",
    "11.4.2",
    "11.5.1",
    "12.3.2",
    "13.2.4",
    "13.2.5",
    "13.3.1",
    "13.3.2",
    "13.3.4",
    "13.4.2",
    "14.2.1",
    "14.2.2",
    "14.3.1",
    "14.3.2",
    "14.3.3",
    "16.2.1",
    "16.2.2",
    "16.2.5",
    "16.3.1",
    "16.3.2",
    "16.3.3",
    "16.3.4",
    "16.4.1",
    "16.4.2",
    "16.4.3",
    "16.5.1",
    "16.5.2",
    "16.5.3",
    "16.5.4",
    "15.1.1",
    "15.1.2",
    "15.1.3",
    "15.2.2",
]
CHECKLIST = [str(number) for number in range(1, 42)]
STATES = {"met", "partly", "not met"}
DOCUMENT = BASE_DIR / "docs" / "security.md"


def lines() -> dict[str, list[str]]:
    """Return the cells of each row of the tables, by its first cell."""
    cells = [
        [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        for line in DOCUMENT.read_text().splitlines()
        if re.match(r"\| \d", line)
    ]
    return {row[0]: row for row in cells}


@cache
def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    assigned = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return assigned | {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def is_there(reference: str) -> bool:
    """Tell whether a path, `path::name` or setting is there; what looks like none of them is no reference."""
    if re.fullmatch(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)+", reference):
        return (
            hasattr(settings, reference) or f'"{reference}"' in (BASE_DIR / "config/settings.py").read_text()
        )
    if not re.fullmatch(r"[\w./-]+(::\w+)*", reference) or "/" not in reference or reference.startswith("/"):
        return True
    path, _, name = reference.partition("::")
    if not (BASE_DIR / path).exists():
        return False
    return all(part in names_in(BASE_DIR / path) for part in name.split("::") if part)


def references(document: Path = DOCUMENT) -> list[str]:
    return sorted(set(re.findall(r"`([^`\n]+)`", document.read_text())))


@pytest.mark.parametrize("item", ASVS)
def test_an_item_of_the_standard_has_a_line_with_a_state(item):
    _, asks, state, where = lines()[item]

    assert asks
    assert state in STATES
    assert "`" in where or state != "met"


@pytest.mark.parametrize("item", CHECKLIST)
def test_an_item_of_the_checklist_names_its_test(item):
    _, asks, state, where = lines()[item]

    assert asks
    assert state in STATES
    assert re.search(r"`tests/[\w/]+\.py(::\w+)*`", where) or state == "not met"


def test_nothing_else_is_listed():
    assert set(lines()) == {*ASVS, *CHECKLIST}


def test_what_is_named_is_there():
    named = references()

    assert len(named) > 100
    assert [one for one in named if not is_there(one)] == []


@pytest.mark.parametrize(
    "name", ["THREAT_MODEL.md", "docs/credentials.md", "docs/rotation.md", "docs/joining.md"]
)
def test_what_other_documents_name_is_there(name):
    named = references(BASE_DIR / name)

    assert len(named) > 5
    assert [one for one in named if one.startswith("tests/") and not is_there(one)] == []


@pytest.mark.parametrize(
    "reference", ["tests/no_such.py", "tests/test_access.py::test_no_such", "NO_SUCH_SETTING", "config/none/"]
)
def test_what_is_not_there_is_seen(reference):
    assert not is_there(reference)
