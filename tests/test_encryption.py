"""The traps of encrypted fields, each closed."""

import pytest
from django.core.exceptions import FieldError
from django.db import connection
from django.db.models import F
from django.db.models.functions import Concat
from encrypted_model_fields.fields import encrypt_str

from accounts.encryption import Unreadable
from clusters.models import Cluster
from tests import factories

pytestmark = pytest.mark.django_db


def column(cluster: Cluster) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT kubeconfig FROM clusters_cluster WHERE id = %s", [cluster.pk])
        return str(cursor.fetchone()[0])


def put(cluster: Cluster, text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clusters_cluster SET kubeconfig = %s WHERE id = %s", [text, cluster.pk])


def test_a_value_is_encrypted_in_the_column_and_read_back():
    cluster = factories.make_cluster(kubeconfig="canary-value")

    assert "canary" not in column(cluster)
    assert Cluster.objects.get(pk=cluster.pk).kubeconfig == "canary-value"


def test_a_ciphertext_of_another_row_is_refused():
    one, other = factories.make_cluster(kubeconfig="one"), factories.make_cluster(kubeconfig="other")
    put(one, column(other))

    with pytest.raises(Unreadable, match="another row"):
        _ = Cluster.objects.get(pk=one.pk).kubeconfig


def test_a_plaintext_in_the_column_is_refused():
    cluster = factories.make_cluster()
    put(cluster, "plain")

    with pytest.raises(Unreadable, match="cannot be decrypted"):
        _ = Cluster.objects.get(pk=cluster.pk).kubeconfig


def test_a_value_that_looks_like_a_token_is_not_decrypted_on_the_way():
    token = encrypt_str("inner").decode()
    cluster = factories.make_cluster(kubeconfig=token)
    cluster.full_clean()

    assert Cluster.objects.get(pk=cluster.pk).kubeconfig == token


def test_it_cannot_be_searched():
    with pytest.raises(FieldError, match="cannot be searched"):
        list(Cluster.objects.filter(kubeconfig="x"))


@pytest.mark.parametrize("value", ["text", Concat(F("name"), F("name"))])
def test_update_is_refused(value):
    cluster = factories.make_cluster()

    with pytest.raises(TypeError, match="use save"):
        Cluster.objects.filter(pk=cluster.pk).update(kubeconfig=value)


def test_bulk_update_is_refused():
    cluster = factories.make_cluster()

    with pytest.raises(TypeError, match="bound to its row"):
        Cluster.objects.bulk_update([cluster], ["kubeconfig"])


def test_json_is_bound_as_well():
    access = factories.make_access(credential={"secret_access_key": "canary"})

    access.refresh_from_db()

    assert access.credential == {"secret_access_key": "canary"}
    assert "canary" not in repr(access)
