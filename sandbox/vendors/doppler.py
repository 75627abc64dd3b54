"""Doppler's API as far as the console and the operator ask it: names, values, writing, and signing in by OIDC.

Written from its public reference. One workplace with the project `shop`; its config `prd` has a few hundred secrets, `dev`
has three. Tests plant `trust` (an issuer's keys, and whom an identity lets in) and `value` (what a secret holds).
"""

import base64
import datetime
import secrets
from typing import Any

from sandbox import tokens, world
from sandbox.vendors.base import Answered, Refused, Request, Vendor, route

PROJECT, CONFIG = "shop", "prd"
COUNT = 300
YEAR = 365 * 24 * 3600
_MANAGED = ("DOPPLER_CONFIG", "DOPPLER_ENVIRONMENT", "DOPPLER_PROJECT")
IDENTITY, POOR_IDENTITY = "6f2d1c1e-5f6b-4d0e-9a59-6f0f1d2c3b4a", "0d9c8b7a-1a2b-4c3d-8e4f-5a6b7c8d9e0f"


def spelled(name: str) -> str:
    """Return a name as Doppler takes it."""
    return "".join(letter if letter.isalnum() else "_" for letter in name.upper())


def names() -> list[str]:
    """Return the names in the config `prd`, sorted; the same each time."""
    return sorted({spelled(name) for name in world.names(COUNT)})


def _refused(status: int, message: str, **headers: str) -> Refused:
    return Refused(status, {"messages": [message], "success": False}, **headers)


class Doppler(Vendor):
    """One workplace."""

    slug = "doppler"

    def __init__(self) -> None:
        super().__init__()
        prd = {name: world.value(name.lower().replace("_", "-")) for name in names()}
        dev = {name: world.value(name) for name in ("API_KEY", "DB_PASSWORD", "SENTRY_DSN")}
        self.configs = {(PROJECT, CONFIG): prd, (PROJECT, "dev"): dev}
        # Token → (type, configs it reaches, may read, may write, when it ends)
        self.tokens: dict[str, tuple[str, tuple[str, ...], bool, bool, float]] = {}
        self.service = self._token("service_token", "st", (CONFIG,))
        self.writer = self._token("service_token", "st", (CONFIG,), write=True)
        self.account = self._token("service_account", "sa", (CONFIG, "dev"))
        self.account_writer = self._token("service_account", "sa", (CONFIG, "dev"), write=True)
        self.limited = self._token("service_account", "sa", (CONFIG,), read=False)
        # How often values were asked for, which the console never does.
        self.reads = 0
        self.jwks: dict[str, dict[str, Any]] = {}
        self.subjects: set[str] = set()

    def _token(
        self, kind: str, letters: str, configs: tuple[str, ...], *, read: bool = True, write: bool = False,
        seconds: int = YEAR,
    ) -> str:  # fmt: skip
        middle = f"{configs[0]}." if letters == "st" else ""
        token = f"dp.{letters}.{middle}{secrets.token_hex(21)}"
        self.tokens[token] = (kind, configs, read, write, self.now() + seconds)
        return token

    def facts(self) -> dict[str, Any]:
        return {
            "project": PROJECT, "config": CONFIG, "names": names(), "service_token": self.service,
            "service_token_writer": self.writer, "account_token": self.account,
            "account_token_writer": self.account_writer, "limited_token": self.limited, "identity": IDENTITY,
            "limited_identity": POOR_IDENTITY,
        }  # fmt: skip

    def planted(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        if what == "trust":
            self.jwks[body["issuer"]] = body["jwks"]
            self.subjects.update(body["subjects"])
            return {}
        if what == "value":
            return {"value": self.configs[PROJECT, CONFIG].get(body["name"])}
        if what == "reads":
            return {"reads": self.reads}
        raise Refused(404)

    def unknown(self, request: Request) -> Refused:
        return _refused(404, "Could not find requested resource")

    # -- who asks ------------------------------------------------------------------------------------------------
    def _who(self, request: Request) -> tuple[str, tuple[str, ...], bool, bool, float]:
        """Return what a token may; it comes as a bearer, or as the user of basic authentication."""
        token = request.bearer
        if token.startswith("Basic "):
            token = base64.b64decode(token.removeprefix("Basic ")).decode().partition(":")[0]
        found = self.tokens.get(token)
        if found is None:
            raise _refused(401, "Invalid Auth token" if token else "You must provide an Auth token")
        if self.now() >= found[4]:
            raise _refused(401, "Your Auth token has expired")
        return found

    def _config(self, request: Request, asked: dict[str, Any], *, write: bool = False) -> dict[str, str]:
        kind, configs, read, writes, _ = self._who(request)
        own = kind == "service_token"
        project, config = asked.get("project") or (PROJECT if own else ""), asked.get("config")
        if not project or not (config or own):
            raise _refused(400, "You must specify a project and a config")
        if project != PROJECT:
            wrong = "This token does not have access to requested project '{}'" if own else ""
            raise _refused(
                403 if own else 404, (wrong or "Could not find requested project '{}'").format(project)
            )
        config = config or configs[0]
        if own and config not in configs:
            raise _refused(403, f"This token does not have access to requested config '{config}'")
        if (project, config) not in self.configs:
            raise _refused(404, f"Could not find requested config '{config}'")
        if not read:
            raise _refused(403, "You do not have access to this config's secrets.")
        if write and not writes:
            raise _refused(403, "You do not have write access to this config's secrets.")
        return self.configs[project, config]

    @route("GET", "/v3/me")
    def me(self, request: Request) -> Any:
        kind = self._who(request)[0]
        workplace = {"name": "Acme", "slug": "acme"}
        return {
            "workplace": workplace,
            "type": kind,
            "slug": "b1946ac9",
            "name": "keyhaven",
            "token_preview": "",
        }

    @route("GET", "/v3/projects")
    def projects(self, request: Request) -> Any:
        self._who(request)
        return {"page": 1, "projects": [{"id": PROJECT, "slug": PROJECT, "name": PROJECT}], "success": True}

    # -- reading ---------------------------------------------------------------------------------------------------
    @route("GET", "/v3/configs/config/secrets/names")
    def list_names(self, request: Request) -> Any:
        found = self._config(request, request.query)
        managed = () if request.query.get("include_managed_secrets") == "false" else _MANAGED
        # In the order in which they were made, which is nobody's.
        return {"names": [*reversed(found), *managed], "success": True}

    @route("GET", "/v3/configs/config/secrets/download")
    def download(self, request: Request) -> Any:
        found = self._config(request, request.query)
        self.reads += 1
        if "secrets" not in request.query:
            config = request.query.get("config") or CONFIG
            return found | dict(zip(_MANAGED, (config, config, PROJECT), strict=True))
        wanted = request.query["secrets"].split(",")
        return {name: found[name] for name in wanted if name in found}

    # -- writing ---------------------------------------------------------------------------------------------------
    @route("POST", "/v3/configs/config/secrets")
    def change(self, request: Request) -> Any:
        found = self._config(request, request.json, write=True)
        for one in request.json["change_requests"]:
            name, before = one["name"], one["originalName"]
            if name != spelled(name) or name[:1].isdigit():
                raise _refused(
                    400, "Secret names may only contain uppercase letters, numbers, and underscores"
                )
            if (before is None) == (name in found):
                raise _refused(400, "The change request does not match the config's secrets")
            found[name] = one["value"]
        return {"secrets": {name: {"raw": text, "computed": text} for name, text in found.items()}}

    @route("DELETE", "/v3/configs/config/secret")
    def delete(self, request: Request) -> Any:
        found = self._config(request, request.query, write=True)
        if found.pop(request.query["name"], None) is None:
            raise _refused(404, f"Could not find requested secret: {request.query['name']}")
        return Answered(None, 204)

    # -- signing in by a cluster's token ---------------------------------------------------------------------------
    @route("POST", "/v3/auth/oidc")
    def exchange(self, request: Request) -> Any:
        if not self._lets_in(str(request.json.get("token", ""))):
            raise _refused(401, "Invalid OIDC token")
        if request.json.get("identity") not in (IDENTITY, POOR_IDENTITY):
            raise _refused(404, "Could not find requested identity")
        good = request.json["identity"] == IDENTITY
        token = self._token(
            "service_account", "said", (CONFIG, "dev"), read=good, write=good, seconds=15 * 60
        )
        ends = datetime.datetime.fromtimestamp(self.tokens[token][4], datetime.UTC)
        return {"success": True, "token": token, "expires_at": ends.isoformat().replace("+00:00", "Z")}

    def _lets_in(self, token: str) -> bool:
        try:
            claims = tokens.claims(token)
        except tokens.Unreadable:
            return False
        jwks = self.jwks.get(str(claims.get("iss")))
        return (
            jwks is not None
            and tokens.is_signed(token, jwks)
            and self._is_trusted(str(claims.get("sub")))
            and "https://api.doppler.com" in tokens.audiences(claims)
            and float(claims.get("exp", 0)) > self.now()
        )

    def _is_trusted(self, subject: str) -> bool:
        """A subject that ends with a colon stands for every ServiceAccount of its namespace."""
        return subject in self.subjects or any(
            one[-1:] == ":" and subject.startswith(one) for one in self.subjects
        )


VENDOR = Doppler
