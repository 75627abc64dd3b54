"""One table of actions: each code of the code is in it, each of it is in the code, and docs/audit.md has the same."""

import ast
import re

import pytest

from accounts.audit import actions, services
from accounts.audit.actions import Outcome
from accounts.models import AuditEvent
from config.paths import BASE_DIR

APPS = ("accounts", "credentials", "clusters", "secrets", "config")
CODE = re.compile(r"[a-z_]+\.[a-z_]+")
WORDS = {code.partition(".")[0] for code in actions.ACTIONS if "." in code}
# These look like codes and are none: names of files, words of the plan and of other formats.
OTHERS = {
    "role.yaml", "operator.told", "service.name", "service.version", "access.namespaces", "audit.jsonl",
}  # fmt: skip
TABLE = BASE_DIR / "accounts" / "audit" / "actions.py"


def sources():
    for app in APPS:
        for path in sorted((BASE_DIR / app).rglob("*.py")):
            if "migrations" not in path.parts and path != TABLE:
                yield path, ast.parse(path.read_text())


def texts(tree):
    """The texts of a module that are handed on, without its docstrings."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
    }


def recorded():
    return {text for _, tree in sources() for text in texts(tree)}


def records(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("audit.record", "services.record"):
            yield node


def written_out(node):
    """A text, one of two texts, or what somebody else wrote out."""
    if isinstance(node, ast.IfExp):
        return written_out(node.body) and written_out(node.orelse)
    return isinstance(node, ast.Constant | ast.Name | ast.Subscript)


def test_each_code_in_the_code_is_in_the_table():
    unknown = {
        (str(path.relative_to(BASE_DIR)), text)
        for path, tree in sources()
        for text in texts(tree)
        if CODE.fullmatch(text)
        and text.partition(".")[0] in WORDS
        and text not in OTHERS | set(actions.ACTIONS)
    }

    assert unknown == set()


def test_each_code_in_the_table_is_in_the_code():
    assert set(actions.ACTIONS) - recorded() == set()


def test_a_code_is_written_out_where_it_is_used():
    """Put together from parts it would be found by no search, and by no test."""
    made_up = [
        f"{path.name}:{call.lineno}"
        for path, tree in sources()
        for call in records(tree)
        for word in call.keywords
        if word.arg == "action" and not written_out(word.value)
    ]

    assert made_up == []


def test_the_document_has_the_same_table():
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| (.+?) \| (\w+) \|$", (BASE_DIR / "docs/audit.md").read_text(), re.M
    )

    assert rows == [
        (action.code, action.words, action.outcome.value)
        for group in actions.GROUPS
        for action in group.actions
    ]


def test_no_code_is_twice_and_each_says_something():
    codes = [action.code for group in actions.GROUPS for action in group.actions]

    assert len(codes) == len(set(codes))
    assert all(len(code) <= AuditEvent._meta.get_field("action").max_length for code in codes)
    assert all(actions.of(code).words and "." not in actions.of(code).words for code in codes)


def test_failure_and_success_have_codes_of_their_own():
    assert actions.of("deploy.failed").outcome is Outcome.FAILED
    assert actions.of("deploy.succeeded").outcome is Outcome.DONE
    assert actions.of("permission.refused").outcome is Outcome.REFUSED


@pytest.mark.django_db
def test_a_code_that_is_not_in_the_table_is_not_recorded(organization, admin):
    with pytest.raises(ValueError, match=r"test\.done is no action"):
        services.record(organization=organization, by=admin, action="test.done", target=organization)

    assert not AuditEvent.objects.exists()


def test_a_code_of_another_release_is_still_shown():
    assert actions.said("vault.sealed") == ("vault.sealed ", "object", "")
