"""What the API sends and answers of external secrets."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from accesses import variants
from accesses.providers.references import OVERRIDES, References
from clusters.models import Service
from config.api.calls import Sent, Shown
from external_secrets import naming
from external_secrets.models import ExternalSecret

type Takes = Literal["value", "keys", "path", "tags"]
type Target = Literal["variable", "file", "both"]
type Mount = Literal["directory", "file"]
type WhenGone = Literal["Retain", "Delete", "Merge"]
Mode = Annotated[str, StringConstraints(pattern=r"^0[0-7]{3}$")]
VERSION = "A version of it, as the operator takes it: `uuid/…` or a staging label of AWS, a number elsewhere."
CONTAINER = "One of the service's; empty for every one."
REVISION = "As it was read: another change in between is a conflict."


class ServiceName(Shown):
    """A service, by what names it."""

    id: UUID
    namespace: str
    kind: str
    name: str

    @classmethod
    def of(cls, service: Service) -> Self:
        return cls.model_validate(service)


class ExternalSecretShown(Shown):
    """An external secret: what is read, as what it arrives and where, and how that went. Never a value."""

    id: UUID
    cluster: str
    namespace: str
    service: ServiceName | None = Field(description="Null: it is for every service of the namespace.")
    container: str
    access: str
    takes: Takes
    key: str = Field(description="The secret's name or reference; of `path` the path, of `tags` empty.")
    tags: dict[str, str]
    json_field: str
    version: str
    region: str
    role_arn: str
    audience: str
    alias_of: UUID | None
    target: Target
    variable: str
    path: str
    mount: Mount
    file_mode: Mode
    refresh_seconds: int
    restart_on_change: bool
    when_gone: WhenGone
    object_name: str = Field(description="The name of the ExternalSecret and of its Secret in the cluster.")
    store: str
    status: Literal["never deployed", "in sync", "waiting", "failed"]
    reason: str
    remedy: str
    keys: list[str] = Field(description="The names of the keys that its Secret had when last looked at.")
    synced_at: datetime | None
    checked_at: datetime | None
    next_refresh_at: datetime | None
    revision: str = Field(description="Another one after each change; send it with the next one.")
    created_at: datetime

    @classmethod
    def of(cls, link: ExternalSecret) -> Self:
        own = {name: getattr(link, name) for name in cls.model_fields if hasattr(link, name)}
        elsewhere = dict.fromkeys(OVERRIDES, "") | variants.of(link.variant)
        return cls.model_validate(
            own
            | elsewhere
            | {
                "cluster": link.cluster.name,
                "service": ServiceName.of(link.service) if link.service else None,
                "access": link.access.name,
                "alias_of": link.alias_of_id,
                "file_mode": f"{link.file_mode:04o}",
                "store": link.store_name,
                "reason": link.status_reason,
                "remedy": link.status_remedy,
                "keys": list(link.seen_keys),
                "revision": link.updated_at.isoformat(),
            }
        )


class PlaceSent(Sent):
    """Where something goes: to a service, or to every service of a namespace."""

    service: UUID | None = None
    namespace: str | None = Field(None, max_length=63, description="In place of a service: all of them.")
    container: str = Field("", max_length=63, description=CONTAINER)


class LinkFields(PlaceSent):
    """What an external secret is made of; the page's own form says what fits together."""

    takes: Takes = Field(
        "value", description="One value, every key of a JSON secret, or every secret by path or tags."
    )
    key: str = Field("", max_length=2600, description="A name, `name#field`, or an ARN; of `path` the path.")
    tags: dict[str, str] = Field({}, max_length=20, description="Of `tags` those that a secret has to have.")
    json_field: str = Field("", max_length=300)
    version: str = Field("", max_length=100, description=VERSION)
    region: str = Field("", max_length=64, description="Where it is elsewhere than the access's.")
    role_arn: str = Field("", max_length=2048, description="Where it is read by another role.")
    audience: str = Field("", max_length=500)
    target: Target = "variable"
    variable: str | None = Field(
        None, max_length=200, description="Left out, it is made of the secret's name. Of several: a prefix."
    )
    path: str = Field("", max_length=1024, description="Left out, it is made of the secret's name.")
    mount: Mount = "directory"
    file_mode: Mode = "0444"
    refresh_seconds: int | None = Field(
        None, ge=60, le=2_147_483_647, description="Left out, it is the access's own, else an hour."
    )
    restart_on_change: bool = False
    when_gone: WhenGone = "Retain"


class ExternalSecretSent(LinkFields):
    """An external secret to make: of a name through an access, or another name for a value that is read already."""

    access: str = Field("", max_length=40, description="An access of the cluster, by its name.")
    alias_of: UUID | None = Field(
        None, description="In place of an access: another external secret, whose value gets another name."
    )


class ExternalSecretChange(LinkFields):
    """What is to be otherwise; what is left out stays."""

    revision: str = Field(max_length=40, description=REVISION)


class LinesSent(PlaceSent):
    """Many external secrets of one access for one place: all are made, or none."""

    access: str = Field(max_length=40)
    lines: list[Annotated[str, StringConstraints(max_length=5000)]] = Field(
        min_length=1,
        max_length=1000,
        description="Each as in an environment file: `DB_PASSWORD=prod/db#password`, or a name alone.",
        examples=[["DB_PASSWORD=prod/db#password"]],
    )
    refresh_seconds: int | None = Field(
        None, ge=60, le=2_147_483_647, description="Left out, it is the access's own, else an hour."
    )


class RelocationSent(PlaceSent):
    """External secrets to bring to another place of their cluster: all go, or none."""

    ids: list[UUID] = Field(min_length=1, max_length=200)


class Counted(Shown):
    """How many were changed."""

    count: int


def current(link: ExternalSecret) -> dict[str, Any]:
    """Return an external secret as the fields that would make it."""
    names = set(LinkFields.model_fields) - {"service", "namespace", "file_mode", *OVERRIDES}
    found = {name: getattr(link, name) for name in names}
    place = {"service": link.service_id} if link.service_id else {"namespace": link.namespace}
    elsewhere = dict.fromkeys(OVERRIDES, "") | variants.of(link.variant)
    return found | elsewhere | place | {"file_mode": f"{link.file_mode:04o}"}


def placed(sent: PlaceSent) -> dict[str, Any]:
    """Return a place as the page's form takes it."""
    if sent.service is None:
        return {"scope": "namespace", "namespace": sent.namespace or ""}
    return {"scope": "service", "place": f"{sent.service}:{sent.container or '*'}"}


def filled_in(sent: LinkFields, rules: References) -> dict[str, Any]:
    """Return the fields as the page's form takes them."""
    names = ("takes", "json_field", *OVERRIDES, "target", "path", "mount", "when_gone")
    data: dict[str, Any] = {name: getattr(sent, name) for name in names}
    variable = sent.variable
    if variable is None:
        named = naming.derive_variable(sent.key.partition("#")[0], sent.json_field or _field(sent.key))
        variable = named if sent.takes == "value" else ""
    return (
        data
        | placed(sent)
        | {name: text for name, text in rules.fields_of(sent.version).items() if text}
        | {
            "below" if sent.takes == "path" else "key": sent.key,
            "tags": "\n".join(f"{name}={value}" for name, value in sorted(sent.tags.items())),
            "variable": variable,
            "file_mode": int(sent.file_mode, 8),
            "refresh_seconds": sent.refresh_seconds or "",
            "restart_on_change": sent.restart_on_change,
        }
    )


def _field(key: str) -> str:
    return key.partition("#")[2]
