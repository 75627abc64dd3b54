"""The API's calls on the names that accesses see: browsing them, reading them anew, and one with who uses it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from ninja import Query
from pydantic import Field, StringConstraints

from accesses.api import find as find_access
from accesses.models import Access
from accesses.providers import ProviderError
from accounts.roles import Permission
from config.api import paging, problems
from config.api.calls import ApiRequest, Calls, Shown
from external_secrets import (
    browsing,
    browsing_accesses,
    browsing_uses,
    inventory,
    inventory_schedule,
    services,
    usage_map,
)
from external_secrets.api.shapes import ServiceName
from external_secrets.browsing_accesses import Listed
from external_secrets.browsing_search import Search
from external_secrets.models import InventoryEntry, InventoryState
from external_secrets.views import name_rows, secret

calls = Calls("Secrets")
MAY = Permission.SECRET_BROWSE
_CURSOR = ("name",)


class Wanted(paging.Paging):
    """Which names. Without an access they are those of all accesses that may be browsed."""

    cursor: str = Field(
        "", max_length=10_000, description="`next` of the page before; left out for the first."
    )
    q: str = Field("", max_length=2100, description="What names begin with, or hold; or a reference.")
    mode: Literal["begins", "contains"] = "begins"
    tag: list[Annotated[str, StringConstraints(max_length=2000)]] = Field(
        [], max_length=10, description="`name=value`, or a name alone; all of them."
    )
    state: Literal["", "linked", "gone", "deleted"] = Field(
        "", description="`gone` are linked and not upstream any more; `deleted` scheduled for deletion."
    )
    cluster: str = ""
    access: str = Field("", description="An access of the cluster, by its name.")


class InventoryShown(Shown):
    """How fresh the names of an access are."""

    access_id: UUID
    cluster: str
    access: str
    read_at: datetime | None = Field(description="When the whole list was read; null: never.")
    refreshed_at: datetime | None = Field(description="When what changed since was last asked for.")
    reading: bool = Field(description="They are being read, or were asked for a moment ago.")
    names: int | None = Field(description="How many; null where not all may be seen.")
    truncated: bool = Field(description="There are more than the console keeps.")
    error: str
    remedy: str

    @classmethod
    def of(cls, one: Listed) -> Self:
        state = one.state
        return cls(
            access_id=one.pk,
            cluster=one.cluster,
            access=one.name,
            reading=one.is_pending,
            names=None if one.is_limited else state.entries,
            **{name: getattr(state, name) for name in ("read_at", "refreshed_at")},
            **{name: getattr(state, name) for name in ("truncated", "error", "remedy")},
        )


class NameShown(Shown):
    """An upstream secret: its name and public facts, never its value."""

    name: str
    reference: str
    cluster: str
    access: str
    kind: str
    description: str
    tags: dict[str, str]
    changed_at: datetime | None
    deletes_at: datetime | None
    gone: bool = Field(description="Something is linked to it, and it is not upstream any more.")
    users: list[str] = Field(description="`namespace/service`, or `namespace/*` for all of a namespace.")


class NamesShown(Shown):
    """Some names, in order, and how fresh those of each access are."""

    items: list[NameShown]
    next: str | None = Field(description="The cursor of the next page, or null after the last.")
    live: bool = Field(
        description="They come from the secret manager itself, whose pages have their own length: the access was never "
        "read whole."
    )
    inventories: list[InventoryShown]


class UseShown(Shown):
    """An external secret that takes a name, and the services that get it."""

    external_secret: UUID
    cluster: str
    namespace: str
    access: str
    target: str = Field(description="The variable, or the file.")
    services: list[ServiceName]
    sure: bool = Field(description="False: it may be another secret of the same name.")


class SecretShown(NameShown):
    """One upstream secret and who uses it, over all accesses that reach it."""

    as_of: datetime | None = Field(description="When the access's names were last read.")
    uses: list[UseShown]
    accesses: list[str] = Field(description="Those that list it, as `cluster/access`.")


def _name(entry: InventoryEntry, one: Listed, users: Iterable[object], *, gone: bool) -> NameShown:
    own = ("name", "reference", "kind", "description", "changed_at", "deletes_at")
    return NameShown(
        **{name: getattr(entry, name) for name in own},
        tags={name: str(value) for name, value in entry.tags.items()},
        cluster=one.cluster,
        access=one.name,
        gone=gone,
        users=[str(user) for user in users],
    )


def _looked_at(request: ApiRequest, wanted: Wanted, known: list[Listed]) -> list[Listed] | None:
    """Return the accesses whose names are wanted, None for all.

    :raises Http404: there is none that may be browsed
    """
    if not (wanted.cluster or wanted.access):
        return known if len(known) == 1 else None
    found = [one for one in known if wanted.cluster in ("", one.cluster)]
    found = [one for one in found if wanted.access in ("", one.name)]
    if not found:
        raise Http404
    return found


def _names(
    request: ApiRequest, wanted: Wanted, known: list[Listed], some: list[Listed] | None
) -> tuple[browsing.Names, str]:
    """Return names, of the index or live while one access was never read whole, and where the next begin.

    :raises problems.Problem: the manager was asked, and refused
    """
    search = Search.of(wanted.q, contains=wanted.mode == "contains", tags=wanted.tag, only=wanted.state)
    where, after = ("index", "")
    if wanted.cursor:
        where, after = paging.unseal(request, _CURSOR, wanted.cursor)
    only = some[0] if some is not None and len(some) == 1 else None
    prefix = search.text if search.is_plain else ""
    if only is None or (where == "index" and (wanted.cursor or inventory.answers(only.state, prefix))):
        scope = browsing_accesses.scope(request.organization, request.authority, known, some)
        names = browsing.page(scope, search, after, wanted.limit)
        return names, names.after
    if trouble := browsing.known_trouble(only.state):
        raise problems.Problem(502, f"{trouble.reason} {trouble.remedy}".strip())
    access = get_object_or_404(Access.objects.select_related("cluster__organization"), pk=only.pk)
    try:
        names = browsing.live(access, search.text, after, only.reach)
    except ProviderError as error:
        raise problems.Problem(502, f"{error.reason} {error.remedy}") from None
    return names, names.cursor


@calls.get("/secrets", Permission.SECRET_BROWSE)
def list_secrets(request: ApiRequest, wanted: Query[Wanted]) -> NamesShown:
    """List the names of upstream secrets, by what they begin with or hold, by tag and by state; never a value."""
    inventory_schedule.looked_at(request.organization)
    known = browsing_accesses.listed(request.organization, request.authority, MAY)
    some = _looked_at(request, wanted, known)
    names, after = _names(request, wanted, known, some) if known else (browsing.Names(), "")
    users_of = browsing_uses.users_of_gone if names.gone else browsing_uses.of_rows
    by_id = {one.pk: one for one in known}
    users = users_of(names.rows, name_rows.sees(request, by_id))
    items = [
        _name(row, by_id[row.access_id], users.get((row.access_id, row.name), ()), gone=names.gone)
        for row in names.rows
        if row.access_id in by_id
    ]
    where = "live" if names.live else "index"
    return NamesShown(
        items=items,
        next=paging.seal(request, _CURSOR, [where, after]) if after else None,
        live=names.live,
        inventories=[InventoryShown.of(one) for one in (known if some is None else some)],
    )


def _one(request: ApiRequest, access: Access) -> Listed:
    known = browsing_accesses.listed(request.organization, request.authority, MAY, access.cluster_id)
    found = next((one for one in known if one.pk == access.pk), None)
    if found is None:
        raise Http404
    return found


@calls.post("/clusters/{cluster}/accesses/{access}/refresh", Permission.SECRET_BROWSE, status=202)
def refresh_secrets(request: ApiRequest, cluster: str, access: str) -> InventoryShown:
    """Ask for the names of an access to be read anew; the answer says how fresh they are."""
    found = find_access(request, cluster, access, MAY)
    services.read_names(found)
    return InventoryShown.of(_one(request, found))


@calls.get("/clusters/{cluster}/accesses/{access}/secret", Permission.SECRET_BROWSE)
def get_secret(
    request: ApiRequest,
    cluster: str,
    access: str,
    name: Query[Annotated[str, StringConstraints(min_length=1, max_length=2048)]],
) -> SecretShown:
    """Show one upstream secret by its name, and who uses it; one that is gone still has its users."""
    found = find_access(request, cluster, access, MAY)
    listed = _one(request, found)
    if not name.startswith(listed.reach):
        raise Http404
    entry = InventoryEntry.objects.filter(access=found, name=name).first()
    used = usage_map.of(request.organization, found, name, entry, request.authority)
    gone = secret.is_gone(browsing.state_of(found), entry, name)
    if gone and not (used.uses or used.unsure):
        raise Http404
    uses = [_use(one) for one in (*used.uses, *used.unsure)]
    shown = _name(entry or InventoryEntry(access=found, name=name), listed, (), gone=gone)
    places = sorted({f"{one.namespace}/{who.name}" for one in uses for who in one.services})
    return SecretShown(
        **shown.model_dump() | {"users": places},
        as_of=_read(listed.state),
        uses=uses,
        accesses=[f"{one.cluster.name}/{one.name}" for one in used.accesses],
    )


def _read(state: InventoryState) -> datetime | None:
    return state.refreshed_at or state.read_at


def _use(use: usage_map.Use) -> UseShown:
    link = use.link
    return UseShown(
        external_secret=link.pk,
        cluster=link.cluster.name,
        namespace=link.namespace,
        access=link.access.name,
        target=link.title,
        services=[ServiceName.of(one) for one in use.services],
        sure=use.is_sure,
    )
