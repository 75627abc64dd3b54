"""The house keeps its shape: budgets, the import path of `secrets/`, task queues, settings that refuse nonsense."""

import ast
import secrets
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from config import celery_app
from config.paths import BASE_DIR

CODE = ("accounts", "clusters", "config", "credentials", "secrets", "sandbox")
FILE_LINES = 300
FUNCTION_LINES = 40


def python_files() -> Iterator[Path]:
    for folder in CODE:
        yield from (path for path in (BASE_DIR / folder).rglob("*.py") if "migrations" not in path.parts)


def test_secrets_is_the_standard_library():
    assert Path(secrets.__file__).parent == Path(sysconfig.get_path("stdlib"))
    assert not (BASE_DIR / "secrets" / "__init__.py").exists()


def test_no_file_is_longer_than_the_budget():
    long = {str(path.relative_to(BASE_DIR)): len(path.read_text().splitlines()) for path in python_files()}

    assert {name: lines for name, lines in long.items() if lines > FILE_LINES} == {}


def test_no_function_is_longer_than_the_budget():
    long = [
        f"{path.relative_to(BASE_DIR)}:{node.name} has {(node.end_lineno or 0) - node.lineno + 1} lines"
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES
    ]

    assert long == []


def test_every_task_has_a_queue_and_every_queue_a_task():
    celery_app.loader.import_default_modules()
    apps = ("accounts", "credentials", "clusters", "accesses", "external_secrets")

    assert set(settings.CELERY_TASK_ROUTES) == {
        name for name in celery_app.tasks if name.split(".")[0] in apps
    }


def test_no_file_names_a_package_registry_or_a_path_of_a_machine():
    words = ["pypi" + ".org", "files." + "pythonhosted", "registry." + "npmjs", "/wo" + "rk/", "/ro" + "ot/"]
    tracked = subprocess.run(["git", "ls-files"], cwd=BASE_DIR, capture_output=True, text=True, check=True)
    texts = {name: (BASE_DIR / name).read_bytes().decode(errors="ignore") for name in tracked.stdout.split()}

    assert [(name, word) for name, text in texts.items() for word in words if word in text] == []


def test_static_files_are_ours():
    """Nothing that others made is in the tree: htmx and icons come from packages, fonts are the system's."""
    kinds = {path.suffix for path in (BASE_DIR / "static").rglob("*") if path.is_file()}

    assert kinds <= {".css", ".js", ".svg"}
    assert [path.name for path in (BASE_DIR / "static").rglob("*.min.*")] == []


@pytest.mark.parametrize("folder", ["templates"])
def test_templates_have_no_inline_script_style_or_evaluated_htmx(folder: str):
    forbidden = ("<style", " style=", "javascript:", "hx-on", "js:", " onclick", "|safe", "data:image")
    found = [
        (str(path.relative_to(BASE_DIR)), word)
        for path in (BASE_DIR / folder).rglob("*.html")
        for word in forbidden
        if word in path.read_text()
    ]

    assert found == []
