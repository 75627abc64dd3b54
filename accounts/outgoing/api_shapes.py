"""What the API sends and answers of destinations."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from accounts.outgoing import topics
from accounts.outgoing.models import Delivery, Destination
from config.api.calls import Sent, Shown

type Kind = Literal["webhook", "email", "syslog", "otlp", "file"]
SETTINGS: Any = Field(
    {},
    repr=False,
    max_length=10,
    description="`url` of a webhook; `url` and `header` of OpenTelemetry; `transport` (`tls`, `tcp`, `udp`), `host` and "
    "`port` of syslog; `file` of a file; `addresses` of e-mail, one a line. Never shown again.",
)
ACTIONS = "Further actions of the audit log, such as `token.created` or `member.*`."


class CauseShown(Shown):
    """Why something was not sent, and what to do about it."""

    reason: str
    remedy: str


class DestinationShown(Shown):
    """A destination: where to, as far as that may be shown, what is sent, and how that goes."""

    id: UUID
    name: str
    kind: Kind
    place: str = Field(description="What may be shown of its address.")
    log: bool = Field(description="The whole audit log is sent.")
    topics: list[str]
    actions: list[str] = Field(description=ACTIONS)
    state: Literal["ok", "waiting", "failed", "stopped"]
    cause: CauseShown | None = Field(description="Why the last try failed.")
    failing_since: datetime | None
    paused_at: datetime | None
    last_delivered_at: datetime | None
    secret_set_at: datetime | None
    created_by: str
    created_at: datetime

    @classmethod
    def facts(cls, row: Destination) -> dict[str, Any]:
        """Return what may be told of a destination."""
        own = (
            "id", "name", "kind", "place", "state", "cause", "failing_since", "paused_at", "last_delivered_at",
            "secret_set_at", "created_by", "created_at",
        )  # fmt: skip
        held = topics.chosen(row.actions) if row.actions else []
        left = sorted(set(row.actions) - set(topics.expand(held)))
        found = {name: getattr(row, name) for name in own}
        return found | {"log": not row.actions, "topics": held, "actions": left}

    @classmethod
    def of(cls, row: Destination) -> "DestinationShown":
        return DestinationShown.model_validate(DestinationShown.facts(row))


class DestinationMade(DestinationShown):
    """A new destination, and what signs to a webhook; it is shown this once."""

    secret: str | None


class SecretMade(Shown):
    """What signs to a webhook from now on; it is shown this once. The one before it is good for a day more."""

    secret: str


class DestinationSent(Sent):
    """A destination to make."""

    kind: Kind
    name: str = Field(max_length=40, examples=["on-call"])
    settings: dict[str, str] = SETTINGS
    log: bool = Field(
        False, description="Send the whole audit log; `topics` and `actions` are left out then."
    )
    topics: list[str] = Field([], max_length=20, examples=[["deploy-failures"]])
    actions: list[str] = Field([], max_length=50, description=ACTIONS)
    whole: bool = Field(False, description="With the log: send also what is in it already.")


class DestinationChange(Sent):
    """What is to be otherwise; what is left out stays. `log`, `topics` and `actions` are replaced together."""

    name: str | None = Field(None, max_length=40)
    settings: dict[str, str] = SETTINGS
    log: bool | None = None
    topics: list[str] | None = Field(None, max_length=20)
    actions: list[str] | None = Field(None, max_length=50, description=ACTIONS)


class ReplaySent(Sent):
    """From when on everything is sent again."""

    since: datetime


class DeliveryShown(Shown):
    """One try to send events. Nothing that the receiver answered is kept but its status."""

    id: int
    first: int = Field(description="The number of its first event.")
    last: int
    events: int
    at: datetime
    tried: int
    reason: Literal["turn", "test", "again"]
    status: int | None
    milliseconds: int
    outcome: Literal["delivered", "failed"]
    cause: str = Field(description="Why it failed; empty where all was well.")

    @classmethod
    def of(cls, row: Delivery) -> "DeliveryShown":
        named = [name for name in cls.model_fields if name != "cause"]
        return cls(**{name: getattr(row, name) for name in named}, cause=row.words)
