"""Starting the console loads no vendor's SDK, and needs none to be there."""

import ast

import pytest

from accesses import providers
from tests import bench_imports

CLIENTS = {*bench_imports.SDKS, "requests", "urllib3"}


def _at_the_start(tree):
    """Return what a module imports when it is imported itself."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_no_provider_imports_a_client_before_it_is_used(project):
    folder = project / "secrets" / "accesses" / "providers"
    modules = sorted(folder.rglob("*.py"))

    found = {
        str(path.relative_to(folder)): set(_at_the_start(ast.parse(path.read_text()))) & CLIENTS
        for path in modules
    }

    assert len(modules) > len(providers.PROVIDERS)
    assert {name: early for name, early in found.items() if early} == {}


@pytest.mark.sandbox
def test_the_start_loads_no_sdk_and_needs_none(project, monkeypatch):
    monkeypatch.chdir(project)

    _, count, loaded = bench_imports.start()
    _, without, _ = bench_imports.start(blocked=bench_imports.SDKS)

    assert loaded & set(bench_imports.SDKS) == set()
    assert count == without == len(providers.PROVIDERS)
