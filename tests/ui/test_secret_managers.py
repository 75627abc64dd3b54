"""Every secret manager in a browser: the wizard's steps, the policies, the access, the built-in store's pages."""

from typing import Any

import pytest

from accesses.models import AccessDraft
from accesses.providers import PROVIDERS
from tests import factories
from tests.ui.test_browser import sideways

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MANAGERS = "/o/acme/clusters/prod/secret-managers/"


@pytest.fixture
def paths(organization: Any, owner: Any) -> list[str]:
    """Return every page that a provider or a way to sign in has a part in. Made before the browser."""
    organization.built_in_store = True
    organization.save()
    cluster = factories.make_cluster(organization=organization, name="prod")
    factories.make_service(cluster=cluster)
    first = AccessDraft.objects.create(cluster=cluster, by=owner)
    found = [f"{MANAGERS}new/{first.pk}/provider/", "/o/acme/settings/built-in-store/"]
    for provider in PROVIDERS.values():
        found.append(f"{MANAGERS}policy/?provider={provider.slug}")
        for method in provider.methods:
            draft = AccessDraft.objects.create(
                cluster=cluster, by=owner, provider=provider.slug, method=method.slug
            )
            found.append(f"{MANAGERS}new/{draft.pk}/details/")
        found.append(f"{MANAGERS}new/{draft.pk}/authentication/")
    return found


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 320)])
def test_axe_finds_nothing_and_nothing_is_sideways(paths: list[str], visit: Any, scheme: str, width: int):
    from axe_playwright_python.sync_playwright import Axe

    found = {}
    page = visit(paths[0], signed_in=True, width=width, color_scheme=scheme)
    host = page.url.partition("/o/")[0]
    for path in paths:
        answer = page.goto(host + path)
        # What is folded is looked at as well.
        page.evaluate("for (const one of document.querySelectorAll('details.row-details')) one.open = true")
        said = f"{path} {page.locator('h2').first.inner_text()}"
        for violation in Axe().run(page).response["violations"]:
            found[said, violation["id"]] = [node["html"][:120] for node in violation["nodes"]]
        if answer.status != 200 or sideways(page) > 0:
            found[said, "shown"] = [str(answer.status), f"{sideways(page)} px sideways"]

    assert found == {}
