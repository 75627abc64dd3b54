"""What links cost: calls, dollars, and quotas that come near."""

from decimal import Decimal

import pytest

from external_secrets import costs
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def make(service, cluster):
    """Return a function that makes a link of an access of a provider."""

    def act(provider: str = "aws-secrets-manager", **fields):
        access = fields.pop("access", None) or factories.make_access(cluster=cluster, provider=provider)
        return factories.make_link(service=service, access=access, **fields)

    return act


@pytest.mark.parametrize(
    ("provider", "fields", "found", "calls"),
    [
        ("aws-secrets-manager", {}, None, 720),
        ("aws-secrets-manager", {"refresh_seconds": 60}, None, 43_200),
        ("aws-secrets-manager", {"takes": "keys"}, None, 720),
        # Pages of 20, and each.
        ("aws-secrets-manager", {"takes": "path"}, 45, 720 * (3 + 45)),
        ("aws-secrets-manager", {"takes": "tags", "tags": {"app": "shop"}}, 45, 720 * (3 + 45)),
        # Its pages of 10 bring the values; by tags they are read one by one.
        ("aws-parameter-store", {"takes": "path"}, 45, 720 * 5),
        ("aws-parameter-store", {"takes": "tags", "tags": {"app": "shop"}}, 45, 720 * (5 + 45)),
        ("gcp-secret-manager", {"takes": "path"}, 250, 720 * (3 + 250)),
    ],
)
def test_calls_follow_from_what_a_link_takes_and_how_often(make, provider, fields, found, calls):
    link = make(provider, **fields)

    cost = costs.of(link, found=found)

    assert cost.calls_per_month == calls


@pytest.mark.parametrize(
    ("provider", "dollars", "text"),
    [
        ("aws-secrets-manager", Decimal("0.216"), "About 43,200 calls a month, about $0.22"),
        ("aws-parameter-store", Decimal(0), "About 43,200 calls a month, nothing to pay for standard parameters"),
        ("gcp-secret-manager", Decimal("0.1296"), "About 43,200 calls a month, about $0.13"),
        ("hashicorp-vault", None, "About 43,200 calls a month; the price is the secret manager's"),
    ],
)  # fmt: skip
def test_money_is_said_where_the_list_price_is_known(make, provider, dollars, text):
    link = make(provider, refresh_seconds=60)

    cost = costs.of(link)

    assert cost.dollars_per_month == dollars
    assert cost.text.startswith(text)


def test_small_money_is_not_nothing(make):
    assert costs.of(make()).text == "About 720 calls a month, less than $0.01"


def test_a_key_of_ones_own_is_paid_too(make):
    link = make(refresh_seconds=60)

    assert costs.of(link, kms=True).dollars_per_month == Decimal("0.3456")


def test_five_hundred_secrets_of_an_hour_are_as_the_vendor_bills_them(make, access):
    links = [make(access=access) for _ in range(500)]

    cost = costs.total(links)

    assert cost.calls_per_month == 360_000
    assert cost.text == "About 360,000 calls a month, about $1.80"


def test_an_alias_costs_nothing_and_a_namespace_once(make, access, service):
    factories.make_service(cluster=access.cluster, namespace="shop")
    wide = factories.make_link(service=None, namespace="shop", container="", access=access)
    alias = make(access=access, alias_of=wide, refresh_seconds=60)

    assert costs.of(alias).calls_per_month == 0
    assert costs.total([wide, alias]).calls_per_month == 720


def test_a_price_that_is_unknown_makes_the_sum_unknown(make):
    cost = costs.total([make(), make("hashicorp-vault")])

    assert cost.calls_per_month == 1440
    assert cost.dollars_per_month is None


def test_without_links_there_is_nothing_to_pay():
    assert costs.total([]) == costs.Cost(0, Decimal(0), "No calls")


def test_how_many_a_link_finds_is_what_was_seen_or_said_to_be_unknown(make):
    seen = make(takes="path", key="prod/", seen_keys=["a", "b", "c"])
    unseen = make(takes="path", key="prod/")

    assert costs.of(seen).calls_per_month == 720 * 4
    assert costs.of(unseen).text.startswith("At least 1,440 calls")
    assert costs.total([seen, unseen]).text.startswith("At least 4,320 calls")


class TestQuotas:
    def test_a_quota_that_is_near_is_said_once_for_each_access(self, make, cluster):
        access = factories.make_access(cluster=cluster, provider="aws-parameter-store", name="ssm")
        links = [make(access=access, refresh_seconds=60) for _ in range(600)]

        cost = costs.total(links)

        assert len(cost.warnings) == 1
        assert "40 reads a second" in cost.warnings[0]
        assert "ssm is asked 10 a second" in cost.warnings[0]

    def test_far_from_it_nothing_is_said(self, make):
        assert costs.of(make("aws-parameter-store", refresh_seconds=60)).warnings == ()
        assert costs.of(make(takes="path"), found=5000).warnings == ()

    def test_one_refresh_that_asks_for_more_than_a_second_allows_is_said(self, make):
        link = make("aws-parameter-store", takes="tags", tags={"app": "shop"})

        cost = costs.of(link, found=300)

        assert "asks for 330 at once" in cost.warnings[0]


@pytest.mark.parametrize(
    ("provider", "calls", "dollars"),
    [
        ("aws-secrets-manager", 30 * 1000, Decimal("0.15")),
        ("aws-parameter-store", 30 * 2000, Decimal(0)),
        ("gcp-secret-manager", 30 * 1000, Decimal(0)),
        ("hashicorp-vault", 30 * 1000, None),
    ],
)
def test_the_consoles_own_reading_is_counted_too(provider, calls, dollars):
    cost = costs.listing(provider, names=100_000, every_seconds=86_400)

    assert (cost.calls_per_month, cost.dollars_per_month) == (calls, dollars)
