"""An HTTP source of secrets, as somebody might have one: one value for one request, with a token in a header."""

import json
import secrets
from typing import Any, ClassVar

from sandbox import world
from sandbox.vendors.base import Answered, Refused, Request, Vendor, route

COUNT = 320


class HttpSource(Vendor):
    """`/v1/NAME` and `/find?name=` answer JSON, `/raw?name=` the value alone, `/ask` takes a POST."""

    slug: ClassVar[str] = "http"

    def __init__(self) -> None:
        super().__init__()
        self.token = secrets.token_urlsafe(32)
        self.values = {name: world.value(name) for name in world.names(COUNT)}
        self.asked: list[str] = []

    def facts(self) -> dict[str, Any]:
        return {"token": self.token, "names": sorted(self.values)}

    def planted(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        match what:
            case "value":
                return {"value": self.values.get(body["name"])}
            case "asked":
                asked, self.asked = self.asked, []
                return {"asked": asked}
        raise Refused(404)

    def _value(self, request: Request, name: str) -> str:
        """Return a value.

        :raises Refused: 401, 403, 404
        """
        self.asked.append(name)
        held = (request.bearer, request.headers.get("x-key", ""))
        if self.token not in held:
            raise Refused(401, {"error": "unauthorized"})
        if name.startswith("private/"):
            raise Refused(403, {"error": "forbidden"})
        if name not in self.values:
            raise Refused(404, {"error": "not found"})
        return self.values[name]

    @route("GET", "/v1/{name}")
    def by_path(self, request: Request) -> Any:
        return {"data": {"value": self._value(request, request.names["name"])}, "version": 1}

    @route("GET", "/find")
    def by_query(self, request: Request) -> Any:
        value = self._value(request, request.query.get("name", ""))
        field = request.query.get("field", "")
        try:
            return {"data": {"value": json.loads(value)[field] if field else value}}
        except (ValueError, LookupError, TypeError):
            raise Refused(404, {"error": "no such field"}) from None

    @route("GET", "/raw")
    def raw(self, request: Request) -> Answered:
        value = self._value(request, request.query.get("name", ""))
        return Answered(value.encode(), headers={"Content-Type": "text/plain"})

    @route("POST", "/ask")
    def by_post(self, request: Request) -> Any:
        return {"values": [self._value(request, str(request.json.get("name", "")))]}


VENDOR = HttpSource
