"""A session is read with its person, by one query, and says no more than Django's own would."""

import datetime

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User

PAGE = "/account/"


def answered(client):
    return client.get(PAGE).status_code == 200


def people_read(client):
    with CaptureQueriesContext(connection) as caught:
        answered(client)
    return sum("FROM " + '"accounts_user"' in query["sql"] for query in caught.captured_queries)


def test_one_query_reads_the_session_and_its_person(log_in, admin):
    client = Client()
    log_in(admin.email, client=client)
    answered(client)

    assert people_read(client) == 0


def test_a_session_that_no_list_has_is_its_persons_all_the_same(log_in, admin):
    client = Client()
    log_in(admin.email, client=client)
    UserSession.objects.all().delete()

    assert answered(client)
    assert people_read(client) == 1


def test_the_list_does_not_say_whose_a_session_is(log_in, admin, outsider):
    client = Client()
    log_in(admin.email, client=client)
    UserSession.objects.update(user=outsider)

    page = client.get(PAGE)

    assert page.wsgi_request.user == admin


def test_who_is_disabled_is_a_stranger_with_the_next_request(log_in, admin):
    client = Client()
    log_in(admin.email, client=client)
    assert answered(client)

    User.objects.filter(pk=admin.pk).update(is_active=False)

    assert not answered(client)


def test_a_new_password_ends_a_session_with_the_next_request(log_in, admin):
    client = Client()
    log_in(admin.email, client=client)
    assert answered(client)

    admin.set_password("another correct horse")
    admin.save()

    assert not answered(client)


def test_a_session_that_is_over_is_nobodys(log_in, admin):
    client = Client()
    log_in(admin.email, client=client)

    Session.objects.update(expire_date=timezone.now() - datetime.timedelta(seconds=1))

    assert not answered(client)
