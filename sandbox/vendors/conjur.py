"""Conjur: sign-in by API key, password and JWT, resources, secrets and policies, as its REST reference has them.

What it leaves out: memberships but of a policy's owner, and every statement of a policy but `!variable` and `!delete`.
"""

import base64
import json
import secrets
import time
import urllib.parse
from typing import Any, ClassVar

import yaml

from sandbox import tokens, world
from sandbox.vendors.base import Answered, Refused, Request, Vendor, route

ACCOUNT = "acme"
BRANCH = "keyhaven"
COUNT = 320
LIFE = 8 * 60
READER, WRITER, LISTER, USER = "host/apps/keyhaven", "host/apps/keyhaven-writer", "host/apps/lister", "alice"
SERVICE, JWT_HOST, AUDIENCE = "keyhaven", "host/jwt-apps/keyhaven", "conjur"
# Who owns the policy branch.
OWNERS = (WRITER, JWT_HOST)
_KEPT = 20
type Variable = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Reads policies; a statement becomes (kind, what it says)."""


def _statement(loader: Any, kind: str, node: yaml.Node) -> tuple[str, Any]:
    if isinstance(node, yaml.MappingNode):
        return kind, loader.construct_mapping(node, deep=True)
    return kind, loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _statement)


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _made() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000+00:00", time.gmtime())


class Conjur(Vendor):
    slug: ClassVar[str] = "conjur"

    def __init__(self) -> None:
        super().__init__()
        self.keys = {name: secrets.token_hex(27) for name in (READER, WRITER, LISTER, USER)}
        self.password = secrets.token_urlsafe(12)
        # access token → (who, end)
        self.tokens: dict[str, tuple[str, float]] = {}
        self.issuers: dict[str, dict[str, Any]] = {}
        self.variables: dict[str, Variable] = {}
        # A list longer than this is refused, where an administrator has set it.
        self.longest = 0
        self._seed()

    def _seed(self) -> None:
        for name in world.names(COUNT):
            tags = {one["Key"]: one["Value"] for one in world.tags(name)}
            self.variables[name] = _variable("/".join(name.split("/")[:-1]), tags)
            self.variables[name]["values"] = [world.value(name)]

    def facts(self) -> dict[str, Any]:
        return {
            "account": ACCOUNT, "branch": BRANCH, "reader": READER, "writer": WRITER, "lister": LISTER, "user": USER,
            "password": self.password, "keys": self.keys, "service": SERVICE, "host": JWT_HOST, "audience": AUDIENCE,
            "names": sorted(world.names(COUNT)),
        }  # fmt: skip

    def planted(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        match what:
            case "issuers":
                self.issuers[body["issuer"]] = body["jwks"]
                return {}
            case "value":
                found = self.variables.get(body["name"], {"values": []})["values"]
                return {"value": found[-1] if found else None}
            case "reset":
                self.variables.clear()
                self._seed()
                return {}
            case "longest":
                self.longest = body["limit"]
                return {}
        raise Refused(404)

    # -- sign-in -----------------------------------------------------------------------------------------
    def _token(self, who: str) -> Answered:
        """Return a token as JSON; it is good for eight minutes."""
        claims = {"sub": who, "iat": int(time.time()), "nonce": secrets.token_hex(8)}
        parts = {
            "protected": {"alg": "conjur.org/slosilo/v2", "kid": "sandbox"}, "payload": claims,
        }  # fmt: skip
        found = {name: base64.b64encode(json.dumps(one).encode()).decode() for name, one in parts.items()}
        found["signature"] = secrets.token_urlsafe(32)
        self.tokens[found["signature"]] = (who, time.time() + LIFE)
        return Answered(found)

    @route("GET", "/authn/{account}/login")
    def login(self, request: Request) -> Answered:
        try:
            user, _, password = (
                base64.b64decode(request.headers["authorization"].removeprefix("Basic "))
                .decode()
                .partition(":")
            )
        except (KeyError, ValueError):
            raise Refused(401) from None
        if (request.names["account"], user, password) != (ACCOUNT, USER, self.password):
            raise Refused(401)
        return Answered(self.keys[USER].encode(), headers={"Content-Type": "text/plain"})

    @route("POST", "/authn/{account}/{login}/authenticate")
    def authenticate(self, request: Request) -> Answered:
        who = request.names["login"]
        key = self.keys.get(who, "")
        if request.names["account"] != ACCOUNT or not key or request.body.decode() != key:
            raise Refused(401)
        return self._token(who)

    @route("POST", "/authn-jwt/{service}/{account}/authenticate")
    @route("POST", "/authn-jwt/{service}/{account}/{host}/authenticate")
    def authenticate_jwt(self, request: Request) -> Answered:
        names, token = request.names, request.form.get("jwt", "")
        if not token:
            raise Refused(400)
        host = names.get("host", JWT_HOST)
        try:
            found = tokens.claims(token)
        except tokens.Unreadable:
            raise Refused(401) from None
        jwks = self.issuers.get(found.get("iss", ""), {})
        known = (names["service"], names["account"], host) == (SERVICE, ACCOUNT, JWT_HOST)
        if not (known and AUDIENCE in tokens.audiences(found) and found["exp"] > self.now()):
            raise Refused(401)
        if not tokens.is_signed(token, jwks):
            raise Refused(401)
        return self._token(host)

    def _who(self, request: Request) -> str:
        """Return who signed a request.

        :raises Refused: 401
        """
        header = request.headers.get("authorization", "")
        text = header.removeprefix('Token token="').removesuffix('"')
        try:
            signature = json.loads(base64.b64decode(text))["signature"]
        except (ValueError, LookupError, TypeError):
            raise Refused(401) from None
        who, end = self.tokens.get(signature, ("", 0.0))
        if end <= self.now():
            raise Refused(401)
        return who

    # -- what each may do ----------------------------------------------------------------------------------
    def _may(self, who: str, privilege: str, name: str) -> bool:
        inside = name.startswith(f"{BRANCH}/")
        if who in OWNERS and inside:
            return True
        held = {"read"} if who == LISTER else {"read", "execute"}
        return privilege in held

    def _known(self, request: Request, privilege: str) -> Variable:
        """Return a variable, if who asks may do this with it.

        :raises Refused: 404 there is none, 403
        """
        who, name = self._who(request), request.names["name"]
        if request.names["account"] != ACCOUNT or name not in self.variables:
            message = f"Variable '{name}' not found in account '{request.names['account']}'"
            raise Refused(404, _error("not_found", message))
        if not self._may(who, privilege, name):
            raise Refused(403)
        return self.variables[name]

    # -- resources -----------------------------------------------------------------------------------------
    @route("GET", "/whoami")
    def whoami(self, request: Request) -> Any:
        who = self._who(request)
        return {"client_ip": "127.0.0.1", "user_agent": "", "account": ACCOUNT, "username": who,
                "token_issued_at": _made()}  # fmt: skip

    @route("GET", "/resources/{account}/variable")
    def listed(self, request: Request) -> Any:
        self._who(request)
        names = sorted(self.variables) if request.names["account"] == ACCOUNT else []
        try:
            limit = int(request.query.get("limit", 10 if "offset" in request.query else len(names)))
            offset = int(request.query.get("offset", 0))
        except ValueError:
            raise Refused(422, _error("argument_error", "'limit' contains an invalid value.")) from None
        if self.longest and limit > self.longest:
            message = f"'Limit' parameter must not exceed {self.longest}"
            raise Refused(422, _error("unprocessable_entity", message))
        return [_shown(name, self.variables[name]) for name in names[offset : offset + limit]]

    @route("GET", "/resources/{account}/variable/{name}")
    def resource(self, request: Request) -> Any:
        if request.query.get("check") == "true":
            try:
                self._known(request, request.query.get("privilege", ""))
            except Refused as refused:
                raise Refused(401 if refused.status == 401 else 404) from None
            return Answered(None, 204)
        return _shown(request.names["name"], self._known(request, "read"))

    # -- values --------------------------------------------------------------------------------------------
    @route("GET", "/secrets/{account}/variable/{name}")
    def value(self, request: Request) -> Answered:
        values = self._known(request, "execute")["values"]
        if not values:
            message = f"CONJ00076E Variable {ACCOUNT}:variable:{request.names['name']} is empty or not found."
            raise Refused(404, _error("not_found", message))
        return Answered(values[-1].encode(), headers={"Content-Type": "application/octet-stream"})

    @route("POST", "/secrets/{account}/variable/{name}")
    def set_value(self, request: Request) -> Answered:
        found = self._known(request, "update")
        if not request.body:
            raise Refused(422, _error("argument_error", "'value' may not be empty"))
        found["values"] = [*found["values"], request.body.decode()][-_KEPT:]
        return Answered(None, 201)

    @route("GET", "/secrets")
    def values(self, request: Request) -> Any:
        who, found = self._who(request), {}
        for full in request.query.get("variable_ids", "").split(","):
            name = urllib.parse.unquote(full).removeprefix(f"{ACCOUNT}:variable:")
            values = self.variables.get(name, {"values": []})["values"]
            if not values:
                message = f"CONJ00076E Variable {full} is empty or not found."
                raise Refused(404, _error("not_found", message))
            if not self._may(who, "execute", name):
                raise Refused(403)
            found[f"{ACCOUNT}:variable:{name}"] = values[-1]
        return found

    # -- policies ------------------------------------------------------------------------------------------
    @route("POST", "/policies/{account}/policy/{branch}")
    @route("PATCH", "/policies/{account}/policy/{branch}")
    def load(self, request: Request) -> Answered:
        who = self._who(request)
        if request.names["account"] != ACCOUNT or request.names["branch"] != BRANCH:
            raise Refused(404, _error("not_found", f"Policy '{request.names['branch']}' not found"))
        if who not in OWNERS:
            raise Refused(403)
        try:
            statements = yaml.load(request.body, Loader=_Loader)  # noqa: S506  a safe loader
        except yaml.YAMLError:
            statements = None
        if not isinstance(statements, list):
            raise Refused(422, _error("policy_invalid", "did not find expected node content"))
        for kind, said in statements:
            self._apply(kind, said, request.method)
        return Answered({"created_roles": {}, "version": 1}, 201)

    def _apply(self, kind: str, said: Any, method: str) -> None:
        match kind:
            case "variable":
                said = said if isinstance(said, dict) else {"id": said}
                found = self.variables.setdefault(f"{BRANCH}/{said['id']}", _variable(BRANCH, {}))
                found["annotations"] |= said.get("annotations") or {}
            case "delete" if method == "PATCH":
                self.variables.pop(f"{BRANCH}/{said['record'][1]}", None)
            case _:
                raise Refused(422, _error("policy_invalid", f"Unrecognized data type '!{kind}'"))


def _variable(policy: str, tags: dict[str, str]) -> Variable:
    return {"policy": policy, "annotations": dict(tags), "values": [], "created_at": _made()}


def _shown(name: str, found: Variable) -> dict[str, Any]:
    policy = f"{ACCOUNT}:policy:{found['policy']}"
    return {
        "created_at": found["created_at"],
        "id": f"{ACCOUNT}:variable:{name}",
        "owner": policy,
        "policy": policy,
        "permissions": [],
        "annotations": [
            {"name": key, "value": value, "policy": policy} for key, value in found["annotations"].items()
        ],
        "secrets": [{"version": at + 1, "expires_at": None} for at in range(len(found["values"]))],
    }


VENDOR = Conjur
