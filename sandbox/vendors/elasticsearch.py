"""Elasticsearch: the routes of its REST interface that the console uses, with users, API keys, roles and mappings.

What it leaves out: shards, analysis, and every query but `bool.filter` of `term`, `prefix` and `range`. An index that is not made
before a document is written gets a mapping of its own making, as there: then `name` is no keyword, and is not sorted by.
"""

import base64
import datetime
import re
import secrets
from collections.abc import Callable
from typing import Any, ClassVar

from sandbox.vendors.base import Answered, Refused, Request, Vendor, route

type Document = dict[str, Any]
INDEX = "keyhaven-secrets"
MOST = 10_000
_NAME = re.compile(r"[a-z0-9.][a-z0-9._-]*")


def _error(status: int, kind: str, reason: str, **more: Any) -> Refused:
    cause = {"type": kind, "reason": reason, **more}
    return Refused(status, {"error": {"root_cause": [cause], **cause}, "status": status})


def _no_index(index: str) -> Refused:
    return _error(404, "index_not_found_exception", f"no such index [{index}]", index=index)


class Elasticsearch(Vendor):
    slug: ClassVar[str] = "elasticsearch"

    def __init__(self) -> None:
        super().__init__()
        # user → (password, privileges on every index that begins with keyhaven)
        self.users: dict[str, tuple[str, frozenset[str]]] = {
            "keyhaven-reader": (secrets.token_urlsafe(18), frozenset({"read"})),
            "keyhaven-writer": (
                secrets.token_urlsafe(18), frozenset({"read", "write", "create_index", "view_index_metadata"}),
            ),
            "nobody": (secrets.token_urlsafe(18), frozenset()),
        }  # fmt: skip
        # id → (key, whose privileges, its end)
        self.keys = {
            secrets.token_urlsafe(15): (secrets.token_urlsafe(16), user, self.now() + 3600)
            for user in self.users
        }
        self.indices: dict[str, dict[str, Any]] = {}

    def facts(self) -> dict[str, Any]:
        return {
            "index": INDEX,
            "passwords": {user: password for user, (password, _) in self.users.items()},
            "keys": {
                user: base64.b64encode(f"{name}:{key}".encode()).decode()
                for name, (key, user, _) in self.keys.items()
            },
        }

    def planted(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        match what:
            case "reset":
                self.indices.clear()
                return {}
            case "index":
                index = self.indices.setdefault(
                    INDEX, {"mappings": body["mappings"], "documents": {}, "next": 0}
                )
                for name, source in body["documents"].items():
                    self._write(index, name, source)
                return {}
            case "documents":
                found = self.indices.get(INDEX, {"documents": {}})["documents"]
                return {name: one["_source"] for name, one in found.items()}
        raise Refused(404)

    def unknown(self, request: Request) -> Refused:
        text = f"no handler found for uri [{request.path}] and method [{request.method}]"
        return Refused(400, {"error": text})

    # -- who -----------------------------------------------------------------------------------------------------
    def _who(self, request: Request) -> tuple[str, str]:
        """Return the user, and the API key's id where it was one."""
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        try:
            one, _, other = base64.b64decode(text, validate=True).decode().partition(":")
        except ValueError:
            one = other = ""
        if kind == "Basic" and one in self.users and secrets.compare_digest(self.users[one][0], other):
            return one, ""
        if kind == "ApiKey" and one in self.keys:
            key, user, end = self.keys[one]
            if secrets.compare_digest(key, other) and self.now() < end:
                return user, one
        raise _error(
            401, "security_exception", "unable to authenticate with provided credentials",
            header={"WWW-Authenticate": ['Basic realm="security"', "ApiKey"]},
        )  # fmt: skip

    def _allow(self, request: Request, privilege: str, action: str) -> str:
        """Return the index that is asked for, if who asks has a privilege on it."""
        user, _ = self._who(request)
        index = request.names["index"]
        if privilege not in self.users[user][1] or not index.startswith("keyhaven"):
            raise _error(
                403, "security_exception",
                f"action [{action}] is unauthorized for user [{user}] with effective roles [{user}] on indices [{index}], "
                f"this action is granted by the index privileges [{privilege},all]",
            )  # fmt: skip
        return index

    @route("GET", "/_security/_authenticate")
    def authenticate(self, request: Request) -> Any:
        user, key = self._who(request)
        found: dict[str, Any] = {
            "username": user, "roles": [user], "full_name": None, "email": None, "metadata": {}, "enabled": True,
            "authentication_type": "api_key" if key else "realm",
        }  # fmt: skip
        return found | ({"api_key": {"id": key, "name": f"{user}-key"}} if key else {})

    @route("POST", "/_security/user/_has_privileges")
    def has_privileges(self, request: Request) -> Any:
        user, _ = self._who(request)
        held = self.users[user][1]
        asked = {
            index: {one: one in held and index.startswith("keyhaven") for one in entry["privileges"]}
            for entry in request.json["index"] for index in entry["names"]
        }  # fmt: skip
        whole = all(ok for found in asked.values() for ok in found.values())
        return {
            "username": user,
            "has_all_requested": whole,
            "cluster": {},
            "index": asked,
            "application": {},
        }

    # -- indices -------------------------------------------------------------------------------------------------
    @route("GET", "/{index}/_mapping")
    def mapping(self, request: Request) -> Any:
        index = self._allow(request, "view_index_metadata", "indices:admin/mappings/get")
        if index not in self.indices:
            raise _no_index(index)
        return {index: {"mappings": self.indices[index]["mappings"]}}

    @route("PUT", "/{index}")
    def make(self, request: Request) -> Any:
        index = self._allow(request, "create_index", "indices:admin/create")
        if index in self.indices:
            raise _error(
                400, "resource_already_exists_exception", f"index [{index}] already exists", index=index
            )
        if not _NAME.fullmatch(index):
            raise _error(400, "invalid_index_name_exception", f"Invalid index name [{index}]", index=index)
        self.indices[index] = {"mappings": request.json.get("mappings", {}), "documents": {}, "next": 0}
        return {"acknowledged": True, "shards_acknowledged": True, "index": index}

    # -- documents -----------------------------------------------------------------------------------------------
    @route("GET", "/{index}/_doc/{id}")
    def get(self, request: Request) -> Any:
        index = self._allow(request, "read", "indices:data/read/get")
        if index not in self.indices:
            raise _no_index(index)
        found = self.indices[index]["documents"].get(request.names["id"])
        head = {"_index": index, "_id": request.names["id"]}
        if found is None:
            raise Refused(404, head | {"found": False})
        return head | {"_version": 1, "found": True} | found

    @route("PUT", "/{index}/_create/{id}")
    def create(self, request: Request) -> Any:
        index = self._for_writing(request)
        name = request.names["id"]
        if name in index["documents"]:
            raise self._conflict(request, "document already exists (current version [1])")
        return Answered(self._written(request, self._write(index, name, request.json), "created"), 201)

    @route("PUT", "/{index}/_doc/{id}")
    def put(self, request: Request) -> Any:
        index, name = self._for_writing(request), request.names["id"]
        known = index["documents"].get(name)
        if "if_seq_no" in request.query:
            seen = (int(request.query["if_seq_no"]), int(request.query["if_primary_term"]))
            if known is None or (known["_seq_no"], known["_primary_term"]) != seen:
                raise self._conflict(request, f"required seqNo [{seen[0]}], primary term [{seen[1]}]")
        made = self._written(
            request, self._write(index, name, request.json), "updated" if known else "created"
        )
        return Answered(made, 200 if known else 201)

    def _for_writing(self, request: Request) -> dict[str, Any]:
        index = self._allow(request, "write", "indices:data/write/index")
        if len(request.body) > 100 * 1024 * 1024:
            raise Refused(413)
        guessed = {"properties": {name: {"type": "text"} for name in request.json}}
        return self.indices.setdefault(index, {"mappings": guessed, "documents": {}, "next": 0})

    @staticmethod
    def _conflict(request: Request, words: str) -> Refused:
        name, index = request.names["id"], request.names["index"]
        reason = f"[{name}]: version conflict, {words}"
        return _error(409, "version_conflict_engine_exception", reason, index=index, shard="0")

    @staticmethod
    def _write(index: dict[str, Any], name: str, source: Document) -> dict[str, Any]:
        made = {"_seq_no": index["next"], "_primary_term": 1, "_source": source}
        index["next"] += 1
        index["documents"][name] = made
        return made

    @staticmethod
    def _written(request: Request, made: dict[str, Any], result: str) -> dict[str, Any]:
        head = {"_index": request.names["index"], "_id": request.names["id"], "_version": 1, "result": result}
        return head | {name: made[name] for name in ("_seq_no", "_primary_term")}

    # -- searching -----------------------------------------------------------------------------------------------
    @route("POST", "/{index}/_search")
    def search(self, request: Request) -> Any:
        index = self._allow(request, "read", "indices:data/read/search")
        if index not in self.indices:
            raise _no_index(index)
        asked = request.json
        size = int(asked.get("size", 10))
        if size > MOST:
            raise _error(400, "search_phase_execution_exception", "all shards failed")
        order = next(iter(asked["sort"][0])) if asked.get("sort") else ""
        if order and self._kind(index, order) != "keyword":
            raise _error(400, "search_phase_execution_exception", "all shards failed")
        found = [
            {"_index": index, "_id": name, "_source": one["_source"], "sort": [one["_source"].get(order)]}
            for name, one in self.indices[index]["documents"].items() if self._matches(index, asked, one["_source"])
        ]  # fmt: skip
        found.sort(key=lambda hit: str(hit["sort"][0]).encode())
        if after := asked.get("search_after"):
            found = [hit for hit in found if str(hit["sort"][0]).encode() > str(after[0]).encode()]
        left = set((asked.get("_source") or {}).get("excludes", ()))
        for hit in found:
            hit["_source"] = {name: value for name, value in hit["_source"].items() if name not in left}
        return {"took": 1, "timed_out": False, "hits": {"max_score": None, "hits": found[:size]}}

    @route("POST", "/{index}/_delete_by_query")
    def delete_by_query(self, request: Request) -> Any:
        index = self._allow(request, "write", "indices:data/write/delete/byquery")
        if index not in self.indices:
            raise _no_index(index)
        kept = self.indices[index]["documents"]
        gone = [name for name, one in kept.items() if self._matches(index, request.json, one["_source"])]
        for name in gone:
            del kept[name]
        return {"took": 1, "timed_out": False, "deleted": len(gone), "failures": []}

    def _kind(self, index: str, name: str) -> str:
        found = self.indices[index]["mappings"].get("properties", {}).get(name, {})
        return str(found.get("type", ""))

    def _matches(self, index: str, asked: dict[str, Any], source: Document) -> bool:
        tests: dict[str, Callable[[Any, Any], bool]] = {
            "term": lambda value, wanted: value == wanted,
            "prefix": lambda value, wanted: str(value).startswith(wanted),
            "range": _earlier,
        }
        for one in asked["query"]["bool"]["filter"]:
            kind, about = next(iter(one.items()))
            name, wanted = next(iter(about.items()))
            # What is no keyword is cut into words, and not found by the whole.
            if kind != "range" and self._kind(index, name) != "keyword":
                return False
            if not tests[kind](source.get(name), wanted):
                return False
        return True


def _earlier(value: Any, wanted: dict[str, str]) -> bool:
    if value is None:
        return False
    return datetime.datetime.fromisoformat(value) < datetime.datetime.fromisoformat(wanted["lt"])


VENDOR = Elasticsearch
