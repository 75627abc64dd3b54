"""Requests to Elasticsearch, what its refusals mean, and what it has to allow."""

import base64
import datetime
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accesses.providers.asking import Answer, Api, Refusal, understood
from accesses.providers.elasticsearch import documents
from accesses.providers.elasticsearch.documents import Document
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

VENDOR = "Elasticsearch"
READ, WRITE, CREATE, SEE = "read", "write", "create_index", "view_index_metadata"
READING, WRITING = (READ,), (READ, WRITE, CREATE, SEE)
REFUSALS = (
    Refusal(
        401, errors.CredentialRefused,
        "Elasticsearch knows neither this user and password nor this API key, or the key has ended.",
        "Check them, or make a new API key and replace it here.",
    ),
    Refusal(
        403, errors.PermissionMissing,
        "The user or API key lacks the privilege {permission} on the index.",
        "Grant {permission} on the index to its role.",
        code="security_exception",
    ),
    Refusal(
        403, errors.NotValid,
        "The index takes no writes: somebody or a full disk has blocked it.",
        "Free disk space, or lift the block on the index.",
        code="cluster_block_exception",
    ),
    Refusal(
        403, errors.PermissionMissing,
        "The user or API key lacks the privilege {permission}.",
        "Grant {permission} on the index to its role.",
    ),
    Refusal(
        404, errors.NotValid,
        "The index is not there.",
        "Check its name; the first secret that is written makes it.",
        code="index_not_found_exception",
    ),
    Refusal(
        409, errors.Raced,
        "Somebody else wrote the same secret at the same time.",
        "Look at it again, then try again.",
        code="version_conflict_engine_exception",
    ),
    Refusal(
        413, errors.NotValid,
        "The secret with its older versions is larger than Elasticsearch takes.",
        "Keep a smaller value, or raise http.max_content_length.",
    ),
    Refusal(
        429, errors.Throttled,
        "Elasticsearch is too busy: its queues or its memory are full.",
        "Wait a minute and try again.",
    ),
    Refusal(
        503, errors.NotReachable,
        "Elasticsearch has no master or no shard of the index that answers now.",
        "Look at the health of its cluster.",
    ),
)  # fmt: skip


def role(index: str, privileges: tuple[str, ...]) -> str:
    """Return the request that makes a role with these privileges."""
    name = "keyhaven-writer" if WRITE in privileges else "keyhaven-reader"
    body = {"indices": [{"names": [index], "privileges": list(privileges)}]}
    return f"PUT /_security/role/{name}\n{json.dumps(body, indent=2)}"


@sensitive_variables()
def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _code(body: Any) -> str:
    error = body.get("error")
    return str(error.get("type", "")) if isinstance(error, dict) else ""


class Index:
    """One organization's secrets in one index. Its methods raise nothing but `ProviderError`s."""

    def __init__(self, access: "Access | AccessDraft", authorization: str) -> None:
        configuration = access.configuration
        self.owner = str(access.cluster.organization_id)
        self.name = configuration["index"]
        headers = {"Authorization": authorization, "Accept": "application/json"}
        self._api = Api(
            VENDOR, configuration["address"], REFUSALS, headers=lambda: headers, code_of=_code,
            ca=configuration.get("ca", ""),
        )  # fmt: skip

    def _ask(
        self, method: str, path: str, needed: str, body: Any = None, *, query: Mapping[str, Any] | None = None,
        quiet: tuple[int, ...] = (),
    ) -> Answer:  # fmt: skip
        return self._api.ask(
            method, path, permission=needed, policy=role(self.name, READING if needed == READ else WRITING),
            query=query, json=body, quiet=quiet,
        )  # fmt: skip

    # -- who, and what it may ------------------------------------------------------------------------------------
    def whoami(self) -> str:
        """Return the user that signs in, or the API key's name."""
        with understood(VENDOR):
            found = self._ask("GET", "/_security/_authenticate", READ).body
            key = found.get("api_key") or {}
            return str(f"API key {key['name']}" if key.get("name") else found["username"])

    def privileges(self, wanted: tuple[str, ...]) -> dict[str, bool]:
        """Return which privileges on the index there are."""
        body = {"index": [{"names": [self.name], "privileges": list(wanted)}]}
        with understood(VENDOR):
            found = self._ask("POST", "/_security/user/_has_privileges", READ, body).body
            return {one: bool(found["index"][self.name][one]) for one in wanted}

    # -- reading -------------------------------------------------------------------------------------------------
    def listed(self, prefix: str, after: str, count: int, *, values: bool = False) -> list[Document]:
        """Return documents by name, deleted ones as well; none where there is no index yet."""
        wanted: list[Any] = [{"term": {"owner": self.owner}}]
        if prefix:
            wanted.append({"prefix": {"name": prefix}})
        body: dict[str, Any] = {
            "size": count, "query": {"bool": {"filter": wanted}}, "sort": [{"name": "asc"}], "track_total_hits": False,
        }  # fmt: skip
        if not values:
            body["_source"] = {"excludes": ["versions"]}
        if after:
            body["search_after"] = [after]
        with understood(VENDOR):
            answer = self._ask("POST", f"/{self.name}/_search", READ, body, quiet=(404,))
            if answer.status == 404:
                self._check_absent(answer)
                return []
            return [hit["_source"] for hit in answer.body["hits"]["hits"]]

    def _check_absent(self, answer: Answer) -> None:
        """Refuse a 404 that says anything else than that there is no index."""
        if _code(answer.body) != "index_not_found_exception":
            raise self._api.refused(404, answer.body)

    @sensitive_variables()
    def document(self, name: str) -> tuple[Document, dict[str, int]]:
        """Return a document that is not deleted, or is, and what a change of it must name.

        :raises NotThere: the index is there, and has none of that name
        """
        with understood(VENDOR):
            path = f"/{self.name}/_doc/{documents.id_of(self.owner, name)}"
            answer = self._ask("GET", path, READ, quiet=(404,))
            if answer.status == 404:
                if answer.body.get("found") is not False:
                    raise self._api.refused(404, answer.body)
                raise errors.NotThere(f"There is no secret named {name}.", "Check the name.")
            seen = {"if_seq_no": answer.body["_seq_no"], "if_primary_term": answer.body["_primary_term"]}
            return answer.body["_source"], seen

    # -- writing -------------------------------------------------------------------------------------------------
    @sensitive_variables()
    def create(self, document: Document) -> None:
        """Write a new document; the index is made where there is none.

        :raises Raced: there is one of that name
        """
        self._ensure()
        path = f"/{self.name}/_create/{documents.id_of(self.owner, document['name'])}"
        self._ask("PUT", path, WRITE, document, query={"refresh": "wait_for"})

    def _ensure(self) -> None:
        if self._ask("GET", f"/{self.name}/_mapping", SEE, quiet=(404,)).status == 404:
            answer = self._ask("PUT", f"/{self.name}", CREATE, documents.MAPPING, quiet=(400,))
            if answer.status == 400 and _code(answer.body) != "resource_already_exists_exception":
                raise errors.NotValid(
                    "Elasticsearch does not take the index's name.", "Choose another index."
                )

    @sensitive_variables()
    def change(
        self, name: str, act: Callable[[Document], Document], *, was_deleted: bool | None = False
    ) -> None:
        """Write a document anew as `act` returns it, unless somebody else was faster; `was_deleted` None is either.

        :raises NotThere: there is none of that name, or (`was_deleted`) none that is deleted
        :raises Raced: somebody else was faster
        """
        found, seen = self.document(name)
        if was_deleted is not None and bool(found["deleted_at"]) != was_deleted:
            raise errors.NotThere(
                f"There is no {'deleted ' if was_deleted else ''}secret named {name}.", "Check the name."
            )
        with understood(VENDOR):
            changed = act(found)
        path = f"/{self.name}/_doc/{documents.id_of(self.owner, name)}"
        self._ask("PUT", path, WRITE, changed, query={"refresh": "wait_for", **seen})

    def purge(self) -> None:
        """Erase what was deleted long enough ago."""
        before = timezone.now() - datetime.timedelta(days=settings.BUILT_IN_DELETED_DAYS)
        old = {"range": {"deleted_at": {"lt": before.isoformat()}}}
        body = {"query": {"bool": {"filter": [{"term": {"owner": self.owner}}, old]}}}
        self._ask("POST", f"/{self.name}/_delete_by_query", WRITE, body, query={"conflicts": "proceed"})
