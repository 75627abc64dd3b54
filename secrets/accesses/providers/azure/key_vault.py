"""Azure Key Vault: its secrets, over its own REST interface."""

import datetime
import re
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from accesses.providers.asking import Answer, Api, understood
from accesses.providers.azure import cards
from accesses.providers.azure import references as azure_references
from accesses.providers.azure import ways as azure
from accesses.providers.azure import wording as azure_wording
from accesses.providers.azure.forms import CLOUDS
from accesses.providers.azure.wording import DELETE, LIST, READ, RECOVER, SET, UPDATE, VENDOR
from accesses.providers.base import Entry, Page, Probe, Provider
from accesses.providers.references import NotReadable
from accesses.providers.writing import Writing
from credentials.clouds import azure as cloud
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

SLUG = "azure-key-vault"
_V = "api-version=7.4"
# Azure gives at most 25 names a page and filters none: so many of its pages make one of ours.
ASKED, SHOWN, REQUESTS = 25, 100, 20
_LIVE, _DELETED = "/secrets", "/deletedsecrets"
# A version that no secret has: who may read values is told that it is not there, others that they may not.
_NO_VERSION = "0" * 32
# A value with its tags is one request of about 25 KB at most.
MOST_BYTES = 25_600
MOST_TAGS, LONGEST_TAG = 15, 256


def host(configuration: Mapping[str, str]) -> str:
    """Return the host of an access's vault."""
    domain = CLOUDS[configuration.get("environment") or cloud.GLOBAL.slug].domain
    return f"{configuration['vault']}.{domain}"


def address(configuration: Mapping[str, str]) -> str:
    """Return where the console asks for a vault."""
    if settings.AZURE_ENDPOINT_URL:
        return f"{settings.AZURE_ENDPOINT_URL}/vaults/{configuration['vault']}"
    return f"https://{host(configuration)}"


class Client:
    """Lists a vault's names with the access's own identity, and writes when a person does; never asks for a value."""

    def __init__(self, access: "Access | AccessDraft", identity: cloud.Identity) -> None:
        self._access, self._identity = access, identity
        self._host, base = host(access.configuration), address(access.configuration)
        self._scope = f"https://{self._host.partition('.')[2]}/.default"
        self._api = Api(
            VENDOR, base, azure_wording.REFUSALS, headers=self._headers, code_of=azure_wording.code_of
        )

    @sensitive_variables()
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._identity.token(self._scope).text}"}

    # -- names -----------------------------------------------------------------------------------------------
    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries: those that are there, then those that can still be recovered."""
        if prefix and not azure_references.NAME.fullmatch(prefix):
            return Page([])
        found: list[Entry] = []
        for _ in range(REQUESTS):
            entries, cursor = self._listed(cursor)
            found += [entry for entry in entries if entry.name.startswith(prefix)]
            if not cursor or len(found) > SHOWN - ASKED:
                break
        return Page(found[:SHOWN], cursor)

    def _listed(self, cursor: str) -> tuple[list[Entry], str]:
        """Return one page of Azure's, and the cursor after it: which list, and where in it."""
        kind, _, query = cursor.partition("?")
        if kind != "deleted":
            answer = self._ask("GET", _LIVE + _query(query), LIST)
            entries, query = self._page_of(answer, _LIVE)
            return entries, f"live?{query}" if query else "deleted?"
        try:
            answer = self._ask("GET", _DELETED + _query(query), LIST)
        except (errors.PermissionMissing, errors.NotThere):
            # A vault may keep nothing, or the identity not see what it keeps: neither is a reason to list no names.
            return [], ""
        entries, query = self._page_of(answer, _DELETED)
        return entries, f"deleted?{query}" if query else ""

    def _page_of(self, answer: Answer, path: str) -> tuple[list[Entry], str]:
        with understood(VENDOR):
            entries = [_entry(one) for one in answer.body["value"] or ()]
            link = answer.body.get("nextLink") or ""
            if not link:
                return entries, ""
            here, there = urlsplit(self._api.address + path), urlsplit(link)
            # It is asked for with the token: at the same address only. Azure writes its own port, or leaves it out.
            if (there.scheme, there.netloc.removesuffix(":443"), there.path) != (
                here.scheme,
                here.netloc,
                here.path,
            ) or not there.query:
                raise ValueError
            return entries, there.query

    # -- whether it works --------------------------------------------------------------------------------------
    def whoami(self) -> str:
        """Return the application that signs in, with the object ID that roles are assigned to."""
        found = self._object()
        client = azure.facts(self._access).get("client", "")
        return f"{client} (object {found})" if found else client

    def _object(self) -> str:
        return cloud.object_of(self._identity.token(self._scope))

    def probe(self, entries: list[Entry]) -> list[Probe]:
        """Return whether values may be read, asked by a version that no secret has."""
        live = [entry for entry in entries if entry.deletes_at is None]
        if not live:
            return []
        name = live[0].name
        try:
            self._ask("GET", f"{_LIVE}/{name}/{_NO_VERSION}?{_V}", READ)
        except errors.NotThere:
            return [Probe(READ, True, "Tested by a version that does not exist", name)]
        except errors.PermissionMissing:
            return [Probe(READ, False, "Denied", name)]
        except errors.ProviderError as error:
            return [Probe(READ, None, error.reason, name)]
        return [Probe(READ, None, "Could not be told", name)]

    def statement(self, actions: list[str]) -> str:
        """Return the az lines that allow these actions."""
        try:
            found = self._object()
        except errors.ProviderError:
            found = ""
        return azure_wording.granted(self._access.configuration["vault"], found, actions)

    # -- writing -----------------------------------------------------------------------------------------------
    @sensitive_variables("value", "sent")
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Make a secret; Azure would give one that is there a new version, so that it is asked first."""
        found = self._ask("GET", f"{_LIVE}/{_path(name)}/versions{_query()}", LIST, quiet=(404,))
        with understood(VENDOR):
            if found.status == 200 and found.body["value"]:
                raise errors.AlreadyThere(f"The vault has a secret {name} already.")
        sent = {"value": value, "tags": dict(tags)}
        self._ask("PUT", f"{_LIVE}/{_path(name)}?{_V}", SET, json=sent)
        return name

    @sensitive_variables("value", "sent")
    def put(self, name: str, value: str) -> None:
        """Give a secret a new version, with the tags and the content type of the current one: Azure keeps neither."""
        found = self._changed(name, {})
        sent: dict[str, Any] = {"value": value, "tags": found.get("tags") or {}}
        if found.get("contentType"):
            sent["contentType"] = found["contentType"]
        self._ask("PUT", f"{_LIVE}/{_path(name)}?{_V}", SET, json=sent)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Add or change tags; Azure replaces them all."""
        found = self._changed(name, {})
        self._changed(name, {"tags": (found.get("tags") or {}) | dict(tags)})

    def _changed(self, name: str, change: dict[str, Any]) -> dict[str, Any]:
        """Change the current version's facts and return them; the answer has no value."""
        # Without a version after the last slash it is the current one.
        answer = self._ask("PATCH", f"{_LIVE}/{_path(name)}/?{_V}", UPDATE, json=change)
        with understood(VENDOR):
            return {key: answer.body.get(key) for key in ("tags", "contentType")}

    def delete(self, name: str) -> datetime.datetime | None:
        """Delete a secret; the vault keeps it for as long as it says."""
        answer = self._ask("DELETE", f"{_LIVE}/{_path(name)}?{_V}", DELETE)
        with understood(VENDOR):
            return _time((answer.body or {}).get("scheduledPurgeDate"))

    def restore(self, name: str) -> None:
        """Recover a deleted secret with all its versions, which takes Azure some seconds."""
        self._ask("POST", f"{_DELETED}/{_path(name)}/recover?{_V}", RECOVER)

    # -- asking ------------------------------------------------------------------------------------------------
    @sensitive_variables()
    def _ask(self, method: str, path: str, permission: str, **sent: Any) -> Answer:
        try:
            return self._api.ask(method, path, permission=permission, **sent)
        except errors.PermissionMissing as error:
            # Who asks is known from the token alone: then the lines to paste name it.
            raise type(error)(permission, error.reason, error.remedy, self.statement([permission])) from None
        except errors.NotReachable:
            if not settings.AZURE_ENDPOINT_URL and not is_name(self._host):
                raise azure_wording.no_vault(self._host) from None
            raise


def is_name(wanted: str) -> bool:
    """Tell whether there may be a host of this name; every vault's name is one."""
    try:
        socket.getaddrinfo(wanted, 443)
    except socket.gaierror as error:
        return error.errno != socket.EAI_NONAME
    except (OSError, UnicodeError):
        return True
    return True


def _query(following: str = "") -> str:
    return f"?{following}" if following else f"?{_V}&maxresults={ASKED}"


def _path(name: str) -> str:
    return quote(name, safe="")


def _entry(found: dict[str, Any]) -> Entry:
    attributes = found.get("attributes") or {}
    states = ["certificate" if found.get("managed") else "secret"]
    states += [] if attributes.get("enabled", True) else ["disabled"]
    deleted = found.get("deletedDate")
    name = urlsplit(found["id"]).path.strip("/").split("/")[-1]
    return Entry(
        name=name,
        reference=name,
        kind=", ".join(states),
        description=str(found.get("contentType") or ""),
        changed_at=_time(attributes.get("updated")),
        tags={str(key): str(value) for key, value in (found.get("tags") or {}).items()},
        deletes_at=_time(found.get("scheduledPurgeDate") or deleted),
    )


def _time(seconds: Any) -> datetime.datetime | None:
    return None if seconds is None else datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)


def _name(access: "Access", name: str) -> str:
    """Return a name as the vault takes it.

    :raises NotReadable: it is none
    """
    if not azure_references.NAME.fullmatch(name):
        raise NotReadable(
            f"A secret's name in a key vault has {azure_references.CHARACTERS}, at most 127: "
            f"{re.sub(r'[^A-Za-z0-9]+', '-', name)[:127].strip('-') or 'shop-db-password'} would be one."
        )
    return name


def check_tags(tags: Mapping[str, str]) -> None:
    """Check that a key vault takes these tags.

    :raises NotReadable: with the reason
    """
    if len(tags) > MOST_TAGS:
        raise NotReadable(f"These are {len(tags)} tags; a key vault takes {MOST_TAGS} a secret.")
    for name, value in tags.items():
        if max(len(name), len(value)) > LONGEST_TAG:
            raise NotReadable(
                f"“{name[:40]}”: a tag's name and its value have at most {LONGEST_TAG} characters each."
            )


def _store(access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    """Return `spec.provider`: at Azure the ways to sign in stand beside the vault."""
    found = access.configuration
    operators = CLOUDS[found.get("environment") or cloud.GLOBAL.slug].operators
    spec = {"vaultUrl": f"https://{host(found)}", "environmentType": operators}
    return {"azurekv": spec | (auth or {})}


PROVIDER = Provider(
    slug=SLUG,
    label=VENDOR,
    sentence="Secrets of one key vault.",
    methods=azure.METHODS,
    store_provider=_store,
    connect=Client,
    cards=cards.of,
    policy=azure_wording.READING,
    policy_note="Key Vault Secrets User lists names and reads values: the console does the one, the operator the other. A "
    "vault that has access policies instead of Azure RBAC takes the last line. New assignments work after some minutes.",
    cloud="azure",
    references=azure_references.SECRETS,
    refusals=azure_wording.REFUSALS,
    limits=azure_wording.LIMITS,
    writing=Writing(
        policy=azure_wording.WRITING,
        most_bytes=MOST_BYTES,
        name=_name,
        check_tags=check_tags,
        note="A deleted secret can be recovered for as long as the vault keeps it, 7 to 90 days; until then its name is "
        "taken. Deleting and recovering take Azure some seconds. A new version has no end, whatever end the one before "
        "had.",
    ),
)
