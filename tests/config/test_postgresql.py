"""A connection is kept between requests; one that the server ended is made anew, and no query asks whether it stands."""

import psycopg
import pytest
from django.db import connection

from tests.survival.conftest import database_url


def of_the_server():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def queries_so_far():
    """Return what the server saw last on this connection."""
    with psycopg.connect(database_url(), autocommit=True) as other:
        pid = connection.connection.info.backend_pid
        return other.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()[0]


@pytest.fixture
def between_requests(transactional_db):
    """A connection of a request that has ended; the next one begins with `ensure_connection`."""
    first = of_the_server()
    connection.health_check_enabled = True
    connection.close_if_unusable_or_obsolete()
    return first


def test_no_query_asks_whether_a_connection_stands(between_requests):
    connection.close_if_health_check_failed()

    assert of_the_server() == between_requests
    connection.close_if_unusable_or_obsolete()
    connection.close_if_health_check_failed()
    assert "pg_backend_pid" in queries_so_far()


def test_a_connection_that_the_server_ended_is_made_anew(between_requests):
    with psycopg.connect(database_url(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [between_requests])

    assert of_the_server() != between_requests


def test_after_an_error_the_server_itself_is_asked(between_requests):
    connection.errors_occurred = True

    connection.close_if_unusable_or_obsolete()

    assert queries_so_far() == "SELECT 1"
