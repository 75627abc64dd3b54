"""What signs in is looked for in every place where it must never be, after it went its whole way.

Each method's wizard, an edit, a deploy by its own steps, a look, and reading the names, at DEBUG.
"""

import io
import json
import logging
import re
from typing import Any

import pytest
from django.conf import settings

from accesses import trials
from accesses.providers import tokens
from clusters import looks
from clusters.models import Cluster
from external_secrets import inventory
from tests import factories
from tests.accesses.test_matrix import Place, deploy, place, walk  # noqa: F401
from tests.test_canary import tables
from tests.tools import broker

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

# ServiceAccounts' tokens, service accounts' keys, AWS's session tokens, Google's access tokens.
SHAPES = re.compile(
    r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|BEGIN (?:RSA )?PRIVATE KEY|MII[A-Za-z0-9+/]{40,}|FQoG[\w/+]{10,}|ya29\.\w+"
)


@pytest.fixture
def log() -> Any:
    """Everything that anybody logs, as text, at DEBUG but for those whom the settings quieten."""
    stream = io.StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


def secrets_of(here: Place) -> set[str]:
    """Return what may be nowhere: the keys of everybody in the clouds, and what stands in the cluster's kubeconfig."""
    pem = [
        line for key in here.google.keys.values() for line in json.loads(key)["private_key"].split("\n")[1:3]
    ]
    kubeconfig = here.cluster.kubeconfig
    return {
        *pem,
        *(secret for _, secret in here.aws.keys.values()),
        *re.findall(r"token: (\S{8,})", kubeconfig),
    }


ROLE = {"region": "eu-west-3", "role_arn": "arn:aws:iam::123456789012:role/x"}
CASES = [
    ("eks", "aws-secrets-manager", "automatic"),
    ("eks", "aws-parameter-store", "role"),
    ("gke", "aws-secrets-manager", "static"),
    ("gke", "gcp-secret-manager", "automatic"),
    ("gke", "gcp-secret-manager", "workload-identity"),
    ("eks", "gcp-secret-manager", "key"),
    ("plain", "gcp-secret-manager", "federation"),
]


@pytest.mark.parametrize(("kind", "provider", "method"), CASES)
def test_nothing_that_signs_in_is_left_anywhere(place, kind, provider, method, log):  # noqa: F811
    here = place(kind)
    access = walk(here, provider, method)
    deploy(here.cluster)
    Cluster.objects.update(deployed_generation=1)
    looks.take(str(here.cluster.pk))
    inventory.read_all(access)
    base = f"/o/acme/clusters/prod/secret-managers/{access.name}/"
    shown = [here.browser.get(base + page).content.decode() for page in ("", "edit/", "usage/", "delete/")]
    shown.append(here.browser.get("/o/acme/clusters/prod/add-ons/").content.decode())

    everything = {
        "log": log.getvalue(),
        "pages": "\n".join(shown),
        "broker": broker(settings.REDIS_URL),
    } | tables()

    wanted = secrets_of(here)
    assert len(wanted) > 6
    found = {where for where, text in everything.items() if any(one in text for one in wanted)}
    shaped = {where for where, text in everything.items() if SHAPES.search(text)}
    assert (found, shaped) == (set(), set())


def test_the_search_would_find_what_signs_in(place):  # noqa: F811
    here = place("eks")

    access = factories.make_access(cluster=here.cluster, method="role", configuration=ROLE)
    trials.ensure_service_account(access)
    token = tokens.token(access, "sts.amazonaws.com")

    assert SHAPES.search(f"Asked with {token}.")
    assert SHAPES.search(here.google.keys["reader"])
