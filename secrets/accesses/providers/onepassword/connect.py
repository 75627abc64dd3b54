"""A 1Password Connect server: it lists items without their fields, and is told what to change in them."""

import datetime
import shlex
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers.asking import Api, understood
from accesses.providers.base import Entry, Page, Probe
from accesses.providers.onepassword import refusals as onepassword_refusals
from accesses.providers.onepassword.forms import ID
from accesses.providers.onepassword.references import is_findable
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

LABEL = "1Password Connect"
READ, WRITE = "read_items", "write_items"
SHOWN = 100
# The field of a password, in every item that has one as 1Password's own apps make it; the operator's default.
FIELD = "password"


def api(address: str, token: str) -> Api:
    """Return a Connect server's interface."""
    return Api(
        LABEL,
        address,
        onepassword_refusals.REFUSALS,
        headers=lambda: {"Authorization": f"Bearer {token}"},
        code_of=onepassword_refusals.code_of,
    )


def grant(vault: str, action: str) -> str:
    """Return what allows an action, as text to paste."""
    asked = shlex.quote(f"{vault or 'VAULT'},{'r' if action == READ else 'rw'}")
    return f"# {action}\nop connect token create keyhaven --server SERVER --vault {asked}"


class Client:
    """Lists items with the access's own token; never asks for one with its fields."""

    def __init__(self, access: "Access | AccessDraft", asked: Api) -> None:
        self._api, self._named = asked, str(access.configuration["vault"])
        self._kept: list[Entry] = []

    # -- the vault -----------------------------------------------------------------------------------------------
    @cached_property
    def _vault(self) -> dict[str, str]:
        """Return the vault's ID and name."""
        if ID.fullmatch(self._named):
            found = [self._ask("GET", f"/v1/vaults/{self._named}")]
        else:
            found = self._ask("GET", "/v1/vaults", query={"filter": f'name eq "{self._named}"'})
        with understood(LABEL):
            same = [{"id": str(one["id"]), "name": str(one.get("name") or "")} for one in found]
        if len(same) != 1:
            raise errors.NotThere(
                "There is no vault of that name that the token sees."
                if not same
                else "More than one vault has that name, and the operator takes none of them.",
                "Enter the vault's ID, and check which vaults the token is for.",
            )
        if not ID.fullmatch(same[0]["id"]):
            raise errors.NotReachable("What answers is no Connect server.", "Check the address.")
        return same[0]

    def _ask(self, method: str, path: str, permission: str = READ, **request: Any) -> Any:
        policy = self.statement([permission])
        return self._api.ask(method, path, permission=permission, policy=policy, **request).body

    # -- listing -------------------------------------------------------------------------------------------------
    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries by name; Connect tells all at once, so that a walk asks it once."""
        if not cursor:
            self._kept = self._entries()
        kept = self._kept or self._entries()
        found = [entry for entry in kept if entry.name.startswith(prefix) and entry.name > cursor]
        shown = found[:SHOWN]
        return Page(shown, shown[-1].name if len(found) > SHOWN else "")

    def _entries(self) -> list[Entry]:
        items = self._items()
        with understood(LABEL):
            titles = Counter(str(item["title"]) for item in items)
            return sorted((_entry(item, titles) for item in items), key=lambda entry: entry.name)

    def _items(self, title: str = "") -> list[dict[str, Any]]:
        """Return the items, or those of one title, without their fields."""
        query = {"filter": f'title eq "{title}"'} if title else None
        found = self._ask("GET", f"/v1/vaults/{self._vault['id']}/items", query=query)
        with understood(LABEL):
            kept = [one for one in found if one.get("state") not in ("ARCHIVED", "DELETED")]
            return [one for one in kept if not title or one["title"] == title]

    def whoami(self) -> str:
        """Return what the token is for; Connect does not tell its name."""
        return f"a Connect token for the vault {self._vault['name'] or self._vault['id']}"

    def probe(self, entries: list[Entry]) -> list[Probe]:
        """Return that items are told by the same permission as their values; Connect has no question for more."""
        return [Probe(READ, True, "Connect tells items to those who may read them")] if entries else []

    def statement(self, actions: list[str]) -> str:
        return "\n".join(grant(self._named, action) for action in actions)

    # -- writing -------------------------------------------------------------------------------------------------
    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Make an item of the category Password and return its title.

        :raises AlreadyThere: there is one of that title
        """
        if self._items(name):
            raise errors.AlreadyThere("There is an item of that title in the vault.")
        vault = self._vault["id"]
        field = {"id": FIELD, "type": "CONCEALED", "purpose": "PASSWORD", "label": FIELD, "value": value}
        item = {
            "title": name,
            "vault": {"id": vault},
            "category": "PASSWORD",
            "tags": words(tags),
            "fields": [field],
        }
        # The answer holds the value; nobody reads it.
        self._ask("POST", f"/v1/vaults/{vault}/items", WRITE, json=item)
        return name

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        """Give an item's password field a new value, without reading the item.

        :raises NotThere: there is none of that title
        """
        self._patch(self._item(name), f"/fields/{FIELD}/value", value)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Add or change tags; those of another name stay.

        :raises NotThere: there is none of that title
        """
        item = self._item(name)
        with understood(LABEL):
            there = [str(word) for word in item.get("tags") or ()]
        kept = [word for word in there if word.partition("=")[0] not in tags]
        self._patch(item, "/tags", [*kept, *words(tags)], "replace" if there else "add")

    @sensitive_variables()
    def _patch(self, item: Mapping[str, Any], path: str, value: Any, act: str = "replace") -> None:
        self._ask("PATCH", self._path(item), WRITE, json=[{"op": act, "path": path, "value": value}])

    def delete(self, name: str) -> datetime.datetime | None:
        """Delete an item; its owner may find it among the recently deleted for a while.

        :raises NotThere: there is none of that title
        """
        self._ask("DELETE", self._path(self._item(name)), WRITE)
        return None

    def restore(self, name: str) -> None:
        raise errors.NotPossibleHere(
            "Connect does not bring a deleted item back.", "Its owner does, under Recently Deleted."
        )

    def _path(self, item: Mapping[str, Any]) -> str:
        with understood(LABEL):
            found = ID.fullmatch(item["id"])
            return f"/v1/vaults/{self._vault['id']}/items/{found[0]}"  # type: ignore[index]

    def _item(self, name: str) -> dict[str, Any]:
        """Return the one item of a title, or of the name in the list, without its fields."""
        found = self._items(name) if is_findable(name) else self._listed(name)
        if not found:
            raise errors.NotThere("There is no item of that title in the vault.", "Check the title.")
        if len(found) > 1:
            raise errors.NotValid("More than one item has that title.", "Choose one by the ID behind it.")
        return found[0]

    def _listed(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self._items() if name.endswith(f"({one.get('id')})")]


def words(tags: Mapping[str, str]) -> list[str]:
    """Return tags as 1Password's words: `name=value`, or the name alone."""
    return [f"{name}={value}" if value else name for name, value in tags.items()]


def _entry(item: Mapping[str, Any], titles: Mapping[str, int]) -> Entry:
    """Return an item by its title, or with its ID behind where the operator would not find it by the title alone."""
    title, own = str(item["title"]), str(item["id"])
    alone = titles[title] == 1 and is_findable(title)
    note = "" if titles[title] == 1 else f"{titles[title]} items have this title; it is read by its ID."
    pairs = (str(word).partition("=") for word in item.get("tags") or ())
    return Entry(
        name=title if alone else f"{title} ({own})",
        reference=title if alone else own,
        kind=str(item.get("category") or "").lower().replace("_", " "),
        description=note,
        changed_at=_moment(item.get("updatedAt")),
        tags={name: value for name, _, value in pairs},
    )


def _moment(text: Any) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(str(text)).astimezone(datetime.UTC)
    except ValueError:
        return None
