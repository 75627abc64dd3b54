"""The built-in store: secrets that the console keeps itself, which clusters read through its gateway."""

import contextlib
import datetime
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from django.db import DatabaseError, transaction
from django.views.decorators.debug import sensitive_variables

from accesses.providers.base import ELSEWHERE, Entry, Method, Obstacle, Page, Probe, Provider, Situation
from accesses.providers.gateway import references as gateway_references
from accesses.providers.gateway import ways as gateway
from accounts.audit import origin
from accounts.models import User
from built_in import names, services
from built_in.models import StoredSecret
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

SLUG = "built-in"
SHOWN = 100


class Form(gateway.GatewayForm):
    """Nothing but the way back: there is nobody else to sign in to."""

    WHERE = ("name",)
    HEADING = "How the cluster reads"


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Turn a database that does not answer into an error of ours.

    :raises NotReachable: from the block
    """
    try:
        with transaction.atomic():
            yield
    except DatabaseError:
        raise errors.NotReachable("The console's database does not answer.", "Try again later.") from None


class Client:
    """Lists and writes the secrets of the access's organization; it reads no value."""

    def __init__(self, access: "Access | AccessDraft", signed_in: None) -> None:
        self._access, self._organization = access, access.cluster.organization

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries by name; what is deleted says until when it is kept."""
        if not set(prefix) <= names.ALLOWED or "\x00" in cursor:
            return Page([])
        with _answering():
            rows = services.listing(
                organization=self._organization, prefix=prefix, after=cursor, count=SHOWN + 1
            )
        more = rows[SHOWN - 1].name if len(rows) > SHOWN else ""
        return Page([_entry(row) for row in rows[:SHOWN]], more)

    def whoami(self) -> str:
        return f"{self._organization}, in this console"

    def probe(self, entries: list[Entry]) -> list[Probe]:
        return gateway.probe(self._access, entries)

    def statement(self, actions: list[str]) -> str:
        return ""

    # -- writing -------------------------------------------------------------------------------------------------
    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Make a secret and return its reference, which is its name."""
        with _answering():
            services.create(organization=self._organization, name=name, value=value, tags=tags, by=_who())
        return name

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        """Give a secret a new version."""
        with _answering():
            services.put(organization=self._organization, name=name, value=value, by=_who())

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        with _answering():
            services.tag(organization=self._organization, name=name, tags=tags, by=_who())

    def delete(self, name: str) -> datetime.datetime | None:
        """Delete a secret; it is kept for a while."""
        with _answering():
            return services.delete(organization=self._organization, name=name, by=_who())

    def restore(self, name: str) -> None:
        with _answering():
            services.restore(organization=self._organization, name=name, by=_who())


def _who() -> str:
    """Return the name of the one who asks, to stand beside a version; the audit log has the whole of it."""
    who = origin.current().user_id
    person = User.objects.filter(pk=who).first() if who is not None else None
    return str(person or "")[:160]


def _entry(row: StoredSecret) -> Entry:
    return Entry(
        name=row.name,
        reference=row.name,
        kind="secret",
        description=row.description,
        changed_at=row.changed_at,
        tags=dict(row.tags),
        deletes_at=services.ends(row.deleted_at) if row.deleted_at else None,
    )


@sensitive_variables()
def _sign_in(access: "Access | AccessDraft") -> None:
    """Go on, if the organization has a store and the access a token.

    :raises CredentialRefused: one of them is missing
    """
    organization = access.cluster.organization
    if not organization.built_in_store:
        raise errors.CredentialRefused(
            f"The built-in store of {organization} is off.",
            "An owner turns it on in the organization's settings.",
        )
    gateway.check_token(access)


def _obstacle(situation: Situation) -> Obstacle | None:
    if situation.cluster.organization.built_in_store:
        return None
    return Obstacle(
        f"The built-in store of {situation.cluster.organization} is off: then this console holds no value.",
        "An owner turns it on in the organization's settings, which say what it means.",
    )


POLICY = "# Nothing to grant: the console makes a token that reads only what this access's links name."
WRITE_POLICY = "# Nothing to grant: whoever may write secrets in this console may write here."
PROVIDER = Provider(
    slug=SLUG,
    label="Built-in store",
    sentence="Secrets that this console keeps itself, encrypted in its database.",
    methods=(
        Method(
            slug="gateway",
            label="The console's gateway",
            consequence="The console makes a token, stored encrypted here and in the cluster; it reads what is linked.",
            form=Form,
            auth=gateway.reference,
            sign_in=_sign_in,
            secret_data=gateway.secret_data,
            obstacle=_obstacle,
            fields={"credential": "token"},
        ),
    ),
    store_provider=gateway.store,
    connect=Client,
    references=gateway_references.GATEWAY,
    policy=POLICY,
    policy_note="The console holds the values: its database and its key are what has to be kept.",
    group=ELSEWHERE,
    hands_out=True,
    keeps=True,
    writing=gateway.writes(
        WRITE_POLICY,
        "The value is kept by this console, encrypted in its database. A deleted secret can be brought back for as long "
        "as BUILT_IN_DELETED_DAYS says.",
    ),
    limits="The gateway answers GATEWAY_PER_ACCESS requests a minute of one access, 600 unless set otherwise. Then it "
    "answers 429 and the operator tries again.",
    secret_labels=gateway.LABELS,
)
