"""The wizard's first step shows every provider under its heading, on the whole page as in a part of it."""

import pytest

from accesses.models import AccessDraft
from accesses.providers import PROVIDERS
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "part"])
def test_every_provider_can_be_chosen(sign_in, devops, organization, headers):
    factories.make_cluster(organization=organization, name="prod")
    browser = sign_in(devops)
    browser.post("/o/acme/clusters/prod/secret-managers/new/")
    draft = AccessDraft.objects.latest("created_at")

    page = browser.get(f"/o/acme/clusters/prod/secret-managers/new/{draft.pk}/provider/", headers=headers)

    text = page.content.decode()
    assert [
        slug for slug in PROVIDERS if f'name="provider" id="id_provider_{slug}" value="{slug}"' not in text
    ] == []
    assert [one.group for one in PROVIDERS.values() if f"{one.group}</h3>" not in text] == []
