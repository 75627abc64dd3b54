"""AWS's wire format of listing names, fast and strict: a hundred thousand names, well under a millisecond a call.

moto takes 0.3 s for a page of so many, and takes nearly everything. This one knows two operations (ListSecrets and
DescribeParameters), checks the signature, and refuses what AWS refuses. `FastAws` serves from this process,
`Apart` from one of its own, so that its work and its memory are not counted as ours.
"""

import base64
import bisect
import hashlib
import hmac
import json
import random
import re
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ACCOUNT, REGION = "123456789012", "eu-west-3"
# Those of tests.factories.make_access.
KEY_ID, SECRET_KEY = "AKIATESTTESTTESTTEST", "s" * 40
MADE = 1_760_000_000.0
ORDERS = {"created-date": "CreatedDate", "last-changed-date": "LastChangedDate", "name": "Name"}
FILTERS = {"description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all"}
FILTER_VALUE = re.compile(r"!?[a-zA-Z0-9 :_@/+=.\-!]{0,511}")
PARAMETER_FILTERS = {"Name": {"BeginsWith", "Equals", "Contains"}, "Type": {"Equals"}}
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/(?P<date>\d{8})/(?P<region>[\w-]+)/(?P<service>\w+)/aws4_request, "
    r"SignedHeaders=(?P<headers>[\w;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


class Refused(Exception):
    """An answer that is no 200, by AWS's code."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code, self.message = code, message
        super().__init__(code)


def name_of(number: int) -> str:
    return f"prod/team-{number % 400:03d}/service-{number % 37:02d}/key-{number:06d}"


class Names:
    """The secrets by name, and the orders in which they are listed."""

    def __init__(self, count: int) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}
        self.texts: dict[str, bytes] = {}
        self.orders: dict[str, list[tuple[Any, str]]] = {}
        for number in range(count):
            self._keep(name_of(number), {"LastChangedDate": MADE + number, "CreatedDate": MADE + number})
        for order in ORDERS:
            self.orders[order] = sorted((self._place(order, name), name) for name in self.secrets)

    def _keep(self, name: str, facts: dict[str, Any]) -> None:
        team = name.split("/")[1] if "/" in name else "none"
        found = {
            "ARN": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf",
            "Name": name,
            "Tags": [{"Key": "team", "Value": team}],
        }
        self.secrets[name] = found | facts
        self.texts[name] = json.dumps(self.secrets[name]).encode()

    def _place(self, order: str, name: str) -> Any:
        return self.secrets[name][ORDERS[order]]

    def remove(self, name: str) -> None:
        """Take it away at once, as AWS does when the recovery window is over."""
        for order, listed in self.orders.items():
            del listed[bisect.bisect_left(listed, (self._place(order, name), name))]
        del self.secrets[name], self.texts[name]

    def put(self, name: str, **facts: Any) -> None:
        """Make a secret, or change one now; `DeletedDate=None` brings it back."""
        before = self.secrets.get(name, {"CreatedDate": time.time()})
        if name in self.secrets:
            self.remove(name)
        wanted = before | {"LastChangedDate": time.time()} | facts
        self._keep(name, {fact: value for fact, value in wanted.items() if value is not None})
        for order, listed in self.orders.items():
            bisect.insort(listed, (self._place(order, name), name))


def signing_key(date: str, region: str, service: str) -> bytes:
    key = f"AWS4{SECRET_KEY}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def check_signature(headers: dict[str, str], body: bytes) -> None:
    """Refuse what is not signed with the one key that there is."""
    said = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if said is None:
        raise Refused("MissingAuthenticationTokenException", "Missing Authentication Token")
    if said["key"] != KEY_ID:
        raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
    signed = said["headers"].split(";")
    if not {"host", "x-amz-date", "x-amz-target"} <= set(signed):
        raise Refused("IncompleteSignatureException", "These headers have to be signed.")
    lines = "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in signed)
    asked = f"POST\n/\n\n{lines}\n{said['headers']}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{said['date']}/{said['region']}/{said['service']}/aws4_request"
    digest = hashlib.sha256(asked.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{digest}"
    wanted = hmac.digest(
        signing_key(said["date"], said["region"], said["service"]), text.encode(), "sha256"
    ).hex()
    if not hmac.compare_digest(wanted, said["signature"]):
        raise Refused("InvalidSignatureException", "The request signature we calculated does not match.")


def size_of(asked: dict[str, Any], most: int, default: int) -> int:
    size = asked.get("MaxResults", default)
    if not isinstance(size, int) or isinstance(size, bool):
        raise Refused("SerializationException")
    if not 1 <= size <= most:
        raise Refused(
            "ValidationException",
            f"Value '{size}' at 'maxResults' failed to satisfy constraint: at most {most}",
        )
    return size


def prefix_of_secrets(asked: dict[str, Any]) -> str:
    """Return the prefix that the filters ask for: the only filter that this stand-in can apply is one name."""
    filters = asked.get("Filters", [])
    if len(filters) > 10:
        raise Refused("ValidationException", "Member must have length less than or equal to 10")
    for one in filters:
        if one.get("Key") not in FILTERS:
            raise Refused("ValidationException", "Member must satisfy enum value set")
        if not 1 <= len(one.get("Values", [])) <= 10:
            raise Refused("ValidationException", "Values: 1 to 10")
        if not all(FILTER_VALUE.fullmatch(value) for value in one["Values"]):
            raise Refused("ValidationException", "Member must satisfy regular expression pattern")
    values = [value for one in filters for value in one["Values"]]
    if len(values) > 1 or any(one["Key"] != "name" for one in filters) or any("!" in v for v in values):
        raise Refused("InternalServiceError", "The stand-in filters by one prefix of the name only.")
    return values[0] if values else ""


def prefix_of_parameters(asked: dict[str, Any]) -> str:
    filters = asked.get("ParameterFilters", [])
    for one in filters:
        if one.get("Option", "Equals") not in PARAMETER_FILTERS.get(one.get("Key"), set()):
            raise Refused("InvalidFilterKey")
        if not all(re.fullmatch(r"[\w./-]{1,1024}", value, re.ASCII) for value in one.get("Values", [""])):
            raise Refused("ValidationException", "Member must satisfy regular expression pattern")
    if len(filters) > 1 or any((one["Key"], one["Option"]) != ("Name", "BeginsWith") for one in filters):
        raise Refused("InternalServerError", "The stand-in filters by one prefix of the name only.")
    return str(filters[0]["Values"][0]) if filters else ""


class FastAws:
    """The server. `calls` counts by operation; what follows may be set while it runs."""

    def __init__(self, count: int = 1000) -> None:
        self.names = Names(count)
        self.calls: Counter[str] = Counter()
        self.prefixes: list[str] = []
        # The share of calls that are throttled; from which call on all are; seconds that a call takes at least.
        self.throttled, self.throttled_from, self.latency = 0.0, 0, 0.0
        self._chance, self._lock = random.Random(7), threading.Lock()
        self._operations: dict[str, Callable[[dict[str, Any]], bytes]] = {
            "secretsmanager.ListSecrets": self.list_secrets,
            "AmazonSSM.DescribeParameters": self.describe_parameters,
        }
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "FastAws":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def asked(self) -> int:
        return self.calls.total()

    def answer(self, headers: dict[str, str], body: bytes) -> bytes:
        """Return the body of a 200.

        :raises Refused: anything else
        """
        if headers.get("content-type") != "application/x-amz-json-1.1":
            raise Refused("SerializationException")
        check_signature(headers, body)
        target = headers.get("x-amz-target", "")
        with self._lock:
            self.calls[target] += 1
            if self._is_throttled():
                raise Refused("ThrottlingException", "Rate exceeded")
            if target not in self._operations:
                raise Refused("AccessDeniedException", f"{target} is nothing that the console may ask for.")
            return self._operations[target](_json(body))

    def _is_throttled(self) -> bool:
        late = bool(self.throttled_from) and self.calls.total() >= self.throttled_from
        return late or (self.throttled > 0 and self._chance.random() < self.throttled)

    def list_secrets(self, asked: dict[str, Any]) -> bytes:
        size = size_of(asked, 100, 100)
        order, direction = asked.get("SortBy", "created-date"), asked.get("SortOrder", "desc")
        if order not in ORDERS or direction not in ("asc", "desc"):
            raise Refused("ValidationException", "Member must satisfy enum value set")
        prefix, marked = prefix_of_secrets(asked), bool(asked.get("IncludePlannedDeletion"))
        self.prefixes.append(prefix)
        query = f"{order}\n{direction}\n{prefix}\n{marked}"
        found, token = self._page(order, direction, prefix, marked, size, query, asked.get("NextToken"))
        listed = b",".join(self.names.texts[name] for name in found)
        return b'{"SecretList":[' + listed + b"]" + _following(token) + b"}"

    def describe_parameters(self, asked: dict[str, Any]) -> bytes:
        size, prefix = size_of(asked, 50, 50), prefix_of_parameters(asked)
        self.prefixes.append(prefix)
        found, token = self._page("name", "asc", prefix, True, size, prefix, asked.get("NextToken"))
        listed = [
            {
                "Name": name,
                "ARN": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name.removeprefix('/')}",
                "Type": "SecureString",
                "LastModifiedDate": self.names.secrets[name]["LastChangedDate"],
            }
            for name in found
        ]
        return b'{"Parameters":' + json.dumps(listed).encode() + _following(token) + b"}"

    def _page(
        self, order: str, direction: str, prefix: str, marked: bool, size: int, query: str, token: Any
    ) -> tuple[list[str], str]:
        """Return names, and the token of the next page: it holds the last place, so that nothing shifts."""
        listed = self.names.orders[order]
        last = _last(token, query) if token is not None else None
        step = 1 if direction == "asc" else -1
        at = 0 if step == 1 else len(listed) - 1
        if last is not None:
            at = bisect.bisect_right(listed, last) if step == 1 else bisect.bisect_left(listed, last) - 1
        elif order == "name" and step == 1:
            at = bisect.bisect_left(listed, (prefix, prefix))
        found: list[tuple[Any, str]] = []
        while 0 <= at < len(listed) and len(found) <= size:
            place = listed[at]
            at += step
            if not place[1].startswith(prefix):
                if order == "name" and step == 1:
                    break
            elif marked or "DeletedDate" not in self.names.secrets[place[1]]:
                found.append(place)
        more = len(found) > size
        found = found[:size]
        return [name for _, name in found], _token(query, found[-1]) if more else ""


def _json(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError:
        raise Refused("SerializationException") from None
    if not isinstance(asked, dict):
        raise Refused("SerializationException")
    return asked


def _token(query: str, place: tuple[Any, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([query, *place]).encode()).decode()


def _last(token: str, query: str) -> tuple[Any, str]:
    """Return the place after which to go on; a token belongs to the question that it was given for."""
    try:
        of, place, name = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        raise Refused("InvalidNextTokenException", "Invalid NextToken") from None
    if of != query:
        raise Refused("InvalidNextTokenException", "The NextToken is of another request")
    return place, name


def _following(token: str) -> bytes:
    return b',"NextToken":' + json.dumps(token).encode() if token else b""


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True

    def __init__(self, aws: FastAws) -> None:
        self.aws = aws
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(socketserver.StreamRequestHandler):
    """HTTP/1.1 with keep-alive and nothing else: Python's own server takes longer to read headers than we to answer."""

    disable_nagle_algorithm = True
    wbufsize = -1

    def handle(self) -> None:
        try:
            while self._one():
                pass
        except (ConnectionError, TimeoutError):
            return

    def _one(self) -> bool:
        line = self.rfile.readline()
        if not line.strip():
            return False
        headers = {}
        while (header := self.rfile.readline().strip()) != b"":
            name, _, value = header.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        path = line.split()[1].decode()
        status, answer = self._control(path, body) if path != "/" else self._aws(headers, body)
        self.wfile.write(
            b"HTTP/1.1 %d X\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n"
            % (status, len(answer))
            + answer
        )
        self.wfile.flush()
        return True

    def _aws(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        aws: FastAws = self.server.aws  # type: ignore[attr-defined]
        if aws.latency:
            time.sleep(aws.latency)
        try:
            return 200, aws.answer(headers, body)
        except Refused as refused:
            return 400, json.dumps({"__type": refused.code, "message": refused.message}).encode()

    def _control(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Do what a test in another process asks for: `Apart`."""
        aws: FastAws = self.server.aws  # type: ignore[attr-defined]
        said = _json(body)
        if path == "/put":
            aws.names.put(said.pop("name"), **said)
        elif path == "/set":
            for name, value in said.items():
                setattr(aws, name, value)
        elif path == "/forget":
            aws.calls.clear()
        return 200, json.dumps({"calls": aws.calls}).encode()


class Apart:
    """The same in a process of its own, told over HTTP."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __enter__(self) -> "Apart":
        command = [sys.executable, "-m", "tests.fast_aws", str(self._count)]
        root = Path(__file__).resolve().parent.parent
        self._process = subprocess.Popen(
            command, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def _tell(self, path: str, **values: Any) -> dict[str, Any]:
        request = urllib.request.Request(self.url + path, json.dumps(values).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.loads(answer.read()))

    def put(self, name: str, **facts: Any) -> None:
        self._tell("/put", name=name, **facts)

    def set(self, **values: Any) -> None:
        """Set `throttled`, `throttled_from` or `latency`."""
        self._tell("/set", **values)

    def forget(self) -> None:
        """Count calls from here on."""
        self._tell("/forget")

    @property
    def asked(self) -> int:
        return sum(self._tell("/calls")["calls"].values())


def main() -> None:
    """Serve so many names until the standard input ends."""
    with FastAws(int(sys.argv[1])) as aws:
        print(aws.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
