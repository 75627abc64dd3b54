"""docs/add-a-provider.md is true: its example, done as it says, is a provider."""

import re

import pytest
import yaml

from accesses import manifests, providers
from accesses.models import Access
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def text(project):
    return (project / "docs" / "add-a-provider.md").read_text()


@pytest.fixture
def example(text, monkeypatch):
    """The provider of the document's code, in the registry."""
    block = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert block
    space: dict[str, object] = {"__name__": "example"}
    exec("\n".join(line.removeprefix("   ") for line in block[1].splitlines()), space)
    provider = space["PROVIDER"]
    assert isinstance(provider, providers.Provider)
    monkeypatch.setitem(providers.PROVIDERS, provider.slug, provider)
    return provider


def test_it_takes_at_most_five_steps_in_files_that_are_there(text, project):
    steps = re.findall(r"^(\d)\. \*\*", text, re.MULTILINE)
    files = re.findall(r"`([\w/.-]+\.(?:py|svg|md))`", text)

    assert steps == ["1", "2", "3", "4", "5"][: len(steps)]
    assert 1 < len(steps) <= 5
    assert files
    assert [name for name in files if not (project / name).exists()] == []


def test_its_example_walks_through_the_wizard(example, organization, devops, sign_in, text):
    cluster = factories.make_cluster(organization=organization, name="prod")
    factories.make_service(cluster=cluster, namespace="shop")
    browser = sign_in(devops)
    at = browser.post("/o/acme/clusters/prod/secret-managers/new/").headers["Location"]
    details = {"name": "doppler", "project": "shop", "token": "dp.st.canary", "namespaces": ["shop"]}

    offered = browser.get(at).content.decode()
    at = browser.post(at, {"provider": "doppler"}).headers["Location"]
    at = browser.post(at, {"method": "token"}).headers["Location"]
    at = browser.post(at, details).headers["Location"]
    tested = browser.get(at).content.decode()
    shown = re.search(r'name="shown" value="([^"]+)"', tested)[1]
    done = browser.post(at, {"wish": "save", "shown": shown}, follow=True).content.decode()

    access = Access.objects.get()
    assert example.label in offered
    assert "prod/db-password" in tested
    assert "Doppler · Service token · shop" in done
    assert "dp.st.canary" not in offered + tested + done
    assert access.credential == {"token": "dp.st.canary"}


def test_its_store_satisfies_the_operators_schema(example, shared, tmp_path):
    import subprocess
    import sys

    access = factories.make_access(
        provider="doppler", method="token", configuration={"project": "shop"}, credential={"token": "t"}
    )
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all([manifests.store(access), manifests.secret(access)]))

    checked = subprocess.run(
        [sys.executable, str(shared / "tools" / "validate_manifests.py"), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
