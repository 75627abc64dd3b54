"""docs/add-a-provider.md is true: its steps, followed by its own files in a copy of the project, pass the contract."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COPIED = (
    "accounts", "clusters", "config", "credentials", "docs", "sandbox", "secrets", "static", "templates", "tests",
    "manage.py", "pyproject.toml", "README.md", "CHANGELOG.md",
)  # fmt: skip
_BLOCK = re.compile(r"^ {3}`([\w/.-]+)`\n\n {3}```(\w+)\n(.*?)^ {3}```$", re.MULTILINE | re.DOTALL)
_SLUG = "scaleway-secret-manager"


@pytest.fixture(scope="module")
def text(project):
    return (project / "docs" / "add-a-provider.md").read_text()


@pytest.fixture
def blocks(text):
    """What the document writes: (file, language, content), in its order."""
    return [(name, language, _outdented(body)) for name, language, body in _BLOCK.findall(text)]


@pytest.fixture
def copy(project, tmp_path):
    """A copy of what the project's tests need, without anything that was built."""
    here = tmp_path / "project"
    here.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "node_modules")
    for name in COPIED:
        source = project / name
        if source.is_dir():
            shutil.copytree(source, here / name, ignore=ignored)
        else:
            shutil.copy(source, here / name)
    if (project.parent / "shared").is_dir():
        (tmp_path / "shared").symlink_to((project.parent / "shared").resolve())
    return here


def _outdented(body: str) -> str:
    return "\n".join(line.removeprefix("   ") for line in body.splitlines()) + "\n"


def _insert(file: Path, body: str) -> None:
    """Do what a diff says: put each added line behind the line that stands above it, which must be there once."""
    lines, above = file.read_text().splitlines(), ""
    for line in body.splitlines():
        if not line.startswith("+"):
            above = line[1:]
            continue
        assert lines.count(above) == 1, f"{above} is not one line of {file.name}"
        lines.insert(lines.index(above) + 1, line[1:])
    file.write_text("\n".join(lines) + "\n")


def test_it_takes_at_most_five_steps_in_files_that_are_there(text, project, blocks):
    steps = re.findall(r"^(\d)\. \*\*", text, re.MULTILINE)
    written = {name for name, language, _ in blocks if language != "diff"}
    named = set(re.findall(r"`([\w/.-]+/[\w.-]+\.(?:py|svg|md))`", text)) - written

    assert steps == ["1", "2", "3", "4", "5"][: len(steps)]
    assert 1 < len(steps) <= 5
    assert named
    assert [name for name in sorted(named) if not (project / name).exists()] == []


@pytest.mark.sandbox
def test_followed_in_a_copy_of_the_project_its_provider_passes_the_contract(copy, blocks):
    for name, language, body in blocks:
        if language == "diff":
            _insert(copy / name, body)
        else:
            assert not (copy / name).exists(), f"{name} is there already"
            (copy / name).write_text(body)

    run = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", _SLUG,
            "tests/accesses/test_providers.py", "tests/accesses/test_seeing.py",
        ],
        cwd=copy, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip

    passed = re.search(r"(\d+) passed", run.stdout)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert passed
    assert int(passed[1]) > 30
