"""docs/clusters.md says what the code does: figures, states and files."""

import re

import pytest

from clusters import endings
from clusters.health import examining
from clusters.kubernetes import signing
from clusters.models import Cluster, Health
from clusters.views.clusters import TABS
from credentials import clouds
from credentials.clouds.aws import clusters as eks


@pytest.fixture(scope="module")
def text(project):
    return (project / "docs" / "clusters.md").read_text()


def test_each_way_is_there(text):
    found = [kind.label for kind in Cluster.Kind if kind != Cluster.Kind.KUBECONFIG]

    assert {cloud.finder.kind for cloud in clouds.CLOUDS.values() if cloud.finder} <= set(Cluster.Kind.values)
    assert [label for label in found if f"| {label}" not in text] == []


def test_each_page_and_each_state_is_there(text):
    pages = [label for _, label, _, _ in TABS]

    assert [label for label in pages if f"*{label}*" not in text] == []
    assert [level.label for level in Health.Level if f"**{level.label.lower()}**" not in text] == []


def test_its_figures_are_the_codes(text):
    (first, last), least = examining.TESTED, examining.LEAST
    dotted = ["{}.{}".format(*minor) for minor in (first, last, least)]
    soon = endings.SOON.days

    assert "older than {} or newer than {}".format(*dotted[:2]) in text
    assert f"older than {dotted[2]}, which cannot run it" in text
    assert text.count(f"it ends within {soon} days") == 2
    assert f"| {eks.LIFETIME.seconds // 60} minutes |" in text
    assert signing.EARLY.seconds == 60
    assert examining.WHOLE_EVERY == 1800


def test_the_files_that_it_names_are_there(text, project):
    files = re.findall(r"`((?:clusters|credentials)/[\w/.]+)`", text)

    assert len(files) > 5
    assert [name for name in files if not (project / name).exists()] == []
