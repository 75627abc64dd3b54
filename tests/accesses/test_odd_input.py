"""What browsers and editors send without anybody's meaning it."""

import pytest

from accesses.models import AccessDraft
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_name_with_a_nul_is_refused_and_not_an_error_page(organization, devops, sign_in):
    cluster = factories.make_cluster(organization=organization, name="prod")
    draft = AccessDraft.objects.create(
        cluster=cluster, by=devops, provider="aws-secrets-manager", method="static"
    )
    browser = sign_in(devops)

    access = browser.post(
        f"/o/acme/clusters/prod/secret-managers/new/{draft.pk}/details/", {"name": "a\x00b"}
    )
    credential = browser.post("/o/acme/credentials/new/?kind=aws.static", {"name": "a\x00b"})

    assert access.status_code == credential.status_code == 422
    assert "Null characters are not allowed" in access.content.decode()
