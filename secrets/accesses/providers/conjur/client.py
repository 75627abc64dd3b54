"""Conjur's variables: their names and annotations, and what the console writes. A value is never asked for."""

import contextlib
import datetime
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.views.decorators.debug import sensitive_variables

from accesses.providers import references, slicing
from accesses.providers.asking import Api, Refusal, understood
from accesses.providers.base import Entry, Page, Probe
from accesses.providers.conjur import session as conjur_session
from accesses.providers.conjur.forms import ID
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

VENDOR = conjur_session.VENDOR
EXECUTE, READ, UPDATE, CREATE = "execute", "read", "update", "create"
SHOWN = 100
# Conjur cannot look for the beginning of a name: names are read in larger pages then, so many at most.
ASKED, REQUESTS = 1000, 10

REFUSALS = (
    Refusal(
        401, errors.CredentialRefused,
        "Conjur does not take the access token: its eight minutes are over, or Conjur's keys were changed.",
        "Try again: a new token is asked for.",
    ),
    Refusal(
        403, errors.PermissionMissing,
        "The identity may not {permission}.",
        "Load a policy that permits {permission}, for example this one.",
    ),
    Refusal(
        404, errors.NotThere,
        "There is no such variable, or the identity does not see it.",
        "Check the ID, and that the identity may read it.",
    ),
    Refusal(
        409, errors.Raced,
        "Conjur is loading another policy.",
        "Try again in a moment.",
    ),
    Refusal(
        422, errors.NotValid,
        "Conjur does not take what was sent.",
        "Check the name, and the limits that Conjur's administrator has set.",
    ),
)  # fmt: skip


class Client:
    """Lists and writes variables as the access's own identity."""

    def __init__(self, access: "Access | AccessDraft", session: conjur_session.Session) -> None:
        place = session.place
        self._account, self._branch = quote(place.account, safe=""), access.configuration.get("branch", "")
        self._prefix = f"{place.account}:variable:"
        self._role, self._most = role_of(access), ASKED
        self._api = Api(VENDOR, place.address, REFUSALS, headers=session.headers, ca=place.ca)

    # -- reading -----------------------------------------------------------------------------------------
    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries, ordered by their IDs as Conjur's database does it."""
        start = slicing.offset(cursor)
        entries: list[Entry] = []
        for _ in range(REQUESTS if prefix else 1):
            found, size = self._listed(start, self._most if prefix else SHOWN)
            for at, entry in enumerate(found):
                if entry.name.startswith(prefix):
                    entries.append(entry)
                if len(entries) == SHOWN:
                    last = at == len(found) - 1 and len(found) < size
                    return Page(entries, "" if last else str(start + at + 1))
            start += len(found)
            if len(found) < size:
                return Page(entries)
        return Page(entries, str(start))

    def _listed(self, offset: int, limit: int) -> tuple[list[Entry], int]:
        """Return names from there on, and how many were asked for: fewer where an administrator limits that."""
        answer = self._api.ask(
            "GET",
            f"/resources/{self._account}/variable",
            permission=READ,
            policy=self.statement([READ]),
            query={"limit": limit, "offset": offset},
            quiet=(422,) if limit > SHOWN else (),
        )
        if answer.status == 422:
            self._most = SHOWN
            return self._listed(offset, SHOWN)
        with understood(VENDOR):
            return [self._entry(one) for one in answer.body], limit

    def _entry(self, found: dict[str, Any]) -> Entry:
        reference = str(found["id"])
        tags = {str(one["name"]): str(one["value"]) for one in found.get("annotations") or ()}
        versions = [one["version"] for one in found.get("secrets") or ()]
        made = datetime.datetime.fromisoformat(found["created_at"])
        return Entry(
            name=reference.removeprefix(self._prefix),
            reference=reference,
            kind="variable",
            description=tags.get("description", "") if versions else "It has no value yet.",
            changed_at=made if made.tzinfo else made.replace(tzinfo=datetime.UTC),
            tags=tags,
        )

    def whoami(self) -> str:
        answer = self._api.ask("GET", "/whoami")
        with understood(VENDOR):
            return f"{answer.body['account']}:{answer.body['username']}"

    def probe(self, entries: list[Entry]) -> list[Probe]:
        """Return whether the first variable's value may be read, by Conjur's own check, which reads nothing."""
        if not entries:
            return []
        name = entries[0].name
        answer = self._api.ask(
            "GET", self._resource(name), query={"check": "true", "privilege": EXECUTE}, quiet=(403, 404)
        )
        may = answer.status < 300
        return [Probe(EXECUTE, may, "Tested" if may else "Denied", name)]

    def statement(self, actions: list[str]) -> str:
        """Return the policy that permits these on a variable."""
        return (
            f"# for {', '.join(actions)}\n- !permit\n  role: {self._role}\n"
            f"  privileges: [ {READ}, {EXECUTE} ]\n  resource: !variable ID-OF-THE-VARIABLE"
        )

    # -- writing -----------------------------------------------------------------------------------------
    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Make a variable in the access's policy branch, then give it its value."""
        if self._is_there(name):
            raise errors.AlreadyThere(f"There is a variable {name} already.")
        self._load("POST", CREATE, _variable(self._below(name), tags))
        try:
            self._set(name, value)
        except errors.ProviderError:
            # A variable without a value would fail every list that the operator reads.
            with contextlib.suppress(errors.ProviderError):
                self.delete(name)
            raise
        return f"{self._prefix}{name}"

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        self._set(name, value)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        if not self._is_there(name):
            raise self._api.refused(404, None)
        self._load("PATCH", UPDATE, _variable(self._below(name), tags))

    def delete(self, name: str) -> datetime.datetime | None:
        """Delete a variable with all its values; it does not come back."""
        if not self._is_there(name):
            raise self._api.refused(404, None)
        self._load("PATCH", UPDATE, f"- !delete\n  record: !variable {json.dumps(self._below(name))}\n")
        return None

    def restore(self, name: str) -> None:
        raise errors.NotThere("Conjur keeps nothing of a deleted variable.", "Make it again.")

    @sensitive_variables()
    def _set(self, name: str, value: str) -> None:
        path = f"/secrets/{self._account}/variable/{quote(name, safe='')}"
        self._api.ask(
            "POST", path, permission=UPDATE, policy=self._writing(), data=value.encode(),
            headers={"Content-Type": "application/octet-stream"},
        )  # fmt: skip

    def _is_there(self, name: str) -> bool:
        return self._api.ask("GET", self._resource(name), quiet=(403, 404)).status == 200

    def _load(self, method: str, privilege: str, policy: str) -> None:
        branch = quote(self._branch, safe="")
        permission = f"{privilege} on the policy {self._branch}"
        answer = self._api.ask(
            method, f"/policies/{self._account}/policy/{branch}", permission=permission, policy=self._writing(),
            data=policy.encode(), headers={"Content-Type": "application/x-yaml"}, quiet=(404,),
        )  # fmt: skip
        if answer.status == 404:
            raise errors.PermissionMissing(
                permission,
                f"There is no policy {self._branch}, or the identity does not see it.",
                policy=self._writing(),
            )

    def _below(self, name: str) -> str:
        """Return a variable's ID in the policy branch."""
        try:
            return check_name(self._branch, name)
        except references.NotReadable as error:
            raise errors.NotValid(str(error), "Choose another name.") from None

    def _writing(self) -> str:
        return f"- !policy\n  id: {self._branch or 'BRANCH'}\n  owner: {self._role}"

    def _resource(self, name: str) -> str:
        return f"/resources/{self._account}/variable/{quote(name, safe='')}"


def role_of(access: "Access | AccessDraft") -> str:
    """Return the access's identity as a policy names it; a token's where that is known only to Conjur."""
    configuration = access.configuration
    login = configuration.get("login") or configuration.get("host") or "host/HOST"
    host = login.removeprefix("host/")
    return f"!user {login}" if host == login else f"!host {host}"


def check_name(branch: str, name: str) -> str:
    """Return a name without the policy branch that it is in.

    :raises NotReadable: the console does not write it, and why
    """
    if not branch:
        raise references.NotReadable(
            "The access names no policy branch. Enter one in its settings: the console writes below it alone."
        )
    rest = name.removeprefix(f"{branch}/")
    if rest == name or not ID.fullmatch(rest):
        raise references.NotReadable(
            f"The console writes below {branch}/ alone, names of letters, digits and . _ @ + - between slashes."
        )
    return rest


def _variable(name: str, tags: Mapping[str, str]) -> str:
    """Return the policy that makes a variable, or changes its annotations; JSON's strings are YAML's too."""
    lines = [f"- !variable\n  id: {json.dumps(name)}\n"]
    if tags:
        lines.append("  annotations:\n")
        lines += [f"    {json.dumps(key)}: {json.dumps(value)}\n" for key, value in tags.items()]
    return "".join(lines)
