"""Another namespace's Secrets, through the one door to Kubernetes: it asks for metadata alone, never for data."""

import contextlib
import datetime
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers import slicing
from accesses.providers.asking import Refusal, understood
from accesses.providers.base import Entry, Page, Probe
from accesses.providers.kubernetes import manifests as kubernetes_manifests
from clusters import kubernetes
from clusters.kubernetes import kinds
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

VENDOR = "The API server"
# A page of names; the API server cannot look for the beginning of one.
SHOWN, REQUESTS = 100, 20
# Helm's own bookkeeping and tokens are no secrets that anybody links.
_NOT = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token"
OURS = "keyhaven"
_JSON_PATCH, _MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"

REFUSALS = (
    Refusal(
        401, errors.CredentialRefused,
        "The API server does not know this identity, or its token or certificate has ended.",
        "Make a new token or certificate and replace it here.",
    ),
    Refusal(
        403, errors.PermissionMissing,
        "The identity may not {permission}.",
        "Apply a Role that allows it to {permission}, for example this one.",
    ),
    Refusal(
        404, errors.NotThere,
        "There is no such Secret in the namespace.",
        "Check the name and the namespace.",
    ),
    Refusal(
        409, errors.Raced,
        "Somebody else changed the Secret at the same moment.",
        "Try again in a moment.",
    ),
    Refusal(
        410, errors.Raced,
        "The list has changed since it was begun.",
        "List again from its beginning.",
    ),
    Refusal(
        422, errors.NotValid,
        "The API server does not take the Secret.",
        "It may be immutable, or of a type that needs certain keys; an admission webhook may refuse it too.",
    ),
    Refusal(
        429, errors.Throttled,
        "The API server asks to slow down.",
        "Wait a minute and try again.",
    ),
)  # fmt: skip
_STATUS: tuple[tuple[type[kubernetes.ClusterError], int], ...] = (
    (kubernetes.Busy, 429), (kubernetes.Unauthorized, 401), (kubernetes.Forbidden, 403), (kubernetes.NotFound, 404),
    (kubernetes.Changed, 409), (kubernetes.Conflict, 409), (kubernetes.Gone, 410), (kubernetes.Invalid, 422),
)  # fmt: skip


class Client:
    """Lists and writes the Secrets of one namespace."""

    def __init__(self, access: "Access | AccessDraft", door: kubernetes.Door) -> None:
        self._namespace, self._door = access.configuration["namespace"], door
        self._subject = access.service_account if access.method == "service-account" else "keyhaven"
        self._space = access.cluster.operator_namespace if access.method == "service-account" else ""

    # -- reading -----------------------------------------------------------------------------------------
    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries, by name."""
        number, _, token = cursor.partition(":")
        skip = slicing.offset(number)
        entries: list[Entry] = []
        for _ in range(REQUESTS):
            found, after = self._listed(token)
            for at, entry in enumerate(found):
                if at < skip or not entry.name.startswith(prefix):
                    continue
                if len(entries) == SHOWN:
                    return Page(entries, f"{at}:{token}")
                entries.append(entry)
            if not after:
                return Page(entries)
            token, skip = after, 0
            if len(entries) == SHOWN:
                break
        return Page(entries, f"0:{token}")

    def _listed(self, token: str) -> tuple[list[Entry], str]:
        with self._told("list"):
            answer = self._door.request(
                "GET",
                kinds.path("v1", "Secret", self._namespace),
                limit=SHOWN,
                fieldSelector=_NOT,
                **{"continue": token},
            )
        with understood(VENDOR):
            more = str((answer.get("metadata") or {}).get("continue") or "")
            return [_entry(one) for one in answer.get("items") or ()], more

    def whoami(self) -> str:
        with self._told("get"):
            return self._door.whoami()

    def probe(self, entries: list[Entry]) -> list[Probe]:
        """Return whether values may be read, by a review, which reads nothing."""
        found = []
        for verb in ("get", "watch"):
            with self._told(verb):
                may = self._door.allowed(verb, "", "secrets", self._namespace)
            found.append(Probe(_named(verb, self._namespace), may, "Tested" if may else "Denied"))
        return found

    def statement(self, actions: list[str]) -> str:
        """Return the Role and its binding that allow these."""
        return f"# for {', '.join(actions)}\n{kubernetes_manifests.role(self._namespace, self._subject, self._space or self._namespace)}"

    # -- writing -----------------------------------------------------------------------------------------
    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Make a Secret of the type Opaque."""
        kubernetes_manifests.check_name(name)
        metadata = {
            "name": name,
            "namespace": self._namespace,
            "labels": {kubernetes_manifests.MANAGED_BY: OURS} | kubernetes_manifests.labels_of(tags),
        }
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "Opaque",
            "data": kubernetes_manifests.data_of(value),
        }
        try:
            with self._told("create"):
                self._door.request("POST", kinds.path("v1", "Secret", self._namespace), body)
        except errors.Raced:
            raise errors.AlreadyThere(f"There is a Secret {name} already.") from None
        return name

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        """Replace all that a Secret holds."""
        revision = self._mine(name)["resourceVersion"]
        patch = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": revision},
            {"op": "add", "path": "/data", "value": kubernetes_manifests.data_of(value)},
        ]
        with self._told("patch"):
            self._door.request("PATCH", self._path(name), patch, _JSON_PATCH)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        labels = kubernetes_manifests.labels_of(tags)
        self._mine(name)
        with self._told("patch"):
            self._door.request("PATCH", self._path(name), {"metadata": {"labels": labels}}, _MERGE_PATCH)

    def delete(self, name: str) -> datetime.datetime | None:
        """Delete a Secret; it does not come back."""
        self._mine(name)
        with self._told("delete"):
            self._door.request("DELETE", self._path(name))
        return None

    def restore(self, name: str) -> None:
        raise errors.NotThere("The cluster keeps nothing of a deleted Secret.", "Make it again.")

    def _mine(self, name: str) -> dict[str, Any]:
        """Return a Secret's metadata, if nobody else writes it.

        :raises NotThere: there is none
        :raises NotValid: somebody else would write it again
        """
        kubernetes_manifests.check_name(name)
        with self._told("get"), understood(VENDOR):
            found: dict[str, Any] = self._door.request("GET", self._path(name))["metadata"]
            labels, owners = found.get("labels") or {}, found.get("ownerReferences") or []
            manager = str(labels.get(kubernetes_manifests.MANAGED_BY) or OURS)
            owner = f"{owners[0]['kind']} {owners[0]['name']}" if owners else ""
        if owner or manager != OURS or kubernetes_manifests.OPERATED in labels:
            who = owner or (manager if manager != OURS else "an operator")
            raise errors.NotValid(
                f"{who[:120]} manages this Secret, and would write it again.",
                "Change it there, or choose another name.",
            )
        return found

    def _path(self, name: str) -> str:
        return kinds.path("v1", "Secret", self._namespace, name)

    @contextlib.contextmanager
    def _told(self, verb: str) -> Iterator[None]:
        """Turn what the door raises into our error, by the table.

        :raises ProviderError: from the block
        """
        try:
            yield
        except kubernetes.ClusterError as error:
            raise self._error(error, verb) from None

    def _needed(self, verb: str) -> str:
        writes = verb in ("create", "patch", "delete")
        found = kubernetes_manifests.role(
            self._namespace, self._subject, self._space or self._namespace, writes=writes
        )
        return f"# to {_named(verb, self._namespace)}\n{found}"

    def _error(self, error: kubernetes.ClusterError, verb: str) -> errors.ProviderError:
        status = next((number for cls, number in _STATUS if isinstance(error, cls)), 0)
        for one in REFUSALS:
            if one.status == status:
                return one.made(_named(verb, self._namespace), self._needed(verb))
        if isinstance(error, kubernetes.Untrusted):
            return errors.NotReachable(error.reason, error.remedy)
        return errors.NotReachable(
            "The API server does not answer, or not well.",
            "Check the address, and that the console's network reaches it.",
        )


def _named(verb: str, namespace: str) -> str:
    return f"{verb} secrets in {namespace}"


def _entry(found: dict[str, Any]) -> Entry:
    metadata = found["metadata"]
    times = [one.get("time") for one in metadata.get("managedFields") or ()]
    at = max((time for time in times if time), default=metadata.get("creationTimestamp"))
    return Entry(
        name=str(metadata["name"]),
        reference=str(metadata["name"]),
        kind="Secret",
        changed_at=datetime.datetime.fromisoformat(at) if at else None,
        tags={str(key): str(value) for key, value in (metadata.get("labels") or {}).items()},
    )
