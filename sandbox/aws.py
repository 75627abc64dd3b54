"""AWS, as far as the demo and the tests need it: moto over HTTP on a loopback port, which refuses wrong keys.

`python -m sandbox.aws --port N` prints one line of JSON with the address and the keys, then serves.
"""

import argparse
import json
import logging
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterable
from typing import Any, Self

from sandbox import world

_READ = (
    "secretsmanager:GetResourcePolicy", "secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret",
    "secretsmanager:ListSecretVersionIds",
)  # fmt: skip
_LIST = "secretsmanager:ListSecrets"
# Real AWS answers this one without any permission.
_WHO = "sts:GetCallerIdentity"
USERS = {
    "reader": (*_READ, _LIST, _WHO),
    "limited": (*_READ, _WHO),
    "admin": ("secretsmanager:*", _WHO),
}


def _seed(count: int) -> None:
    from moto.backends import get_backend

    for region in world.REGIONS:
        backend = get_backend("secretsmanager")[world.ACCOUNT][region]
        for name in world.names(count):
            backend.create_secret(
                name,
                secret_string=world.value(name),
                secret_binary=None,
                description=None,
                tags=world.tags(name),
                kms_key_id=None,
                client_request_token=None,
                replica_regions=[],
                force_overwrite=False,
            )


def _client(service: str, url: str, key: tuple[str, str], region: str = "eu-west-3") -> Any:
    import boto3
    from botocore.config import Config

    make: Any = boto3.client
    return make(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        config=Config(retries={"total_max_attempts": 2}),
    )


def _as_aws(application: Any) -> Any:
    """Wrap moto: it refuses JSON requests in XML, where AWS answers 400 and JSON with the error's type."""

    def wrapped(environ: dict[str, Any], start_response: Any) -> Any:
        started: list[Any] = []
        body = b"".join(application(environ, lambda *given: started.append(given)))
        status, headers, *rest = started[0]
        code = re.search(rb"<Code>(\w+)</Code>", body)
        if "HTTP_X_AMZ_TARGET" in environ and status.startswith("403") and code:
            status, body = (
                "400 Bad Request",
                json.dumps({"__type": code[1].decode(), "message": "refused"}).encode(),
            )
            headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
        start_response(status, headers, *rest)
        return [body]

    return wrapped


def _users(url: str) -> dict[str, tuple[str, str]]:
    """Make the IAM users and return their access keys."""
    iam = _client("iam", url, ("setup", "setup"))
    keys = {}
    for name, actions in USERS.items():
        iam.create_user(UserName=name)
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="sandbox", PolicyDocument=document)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        keys[name] = (made["AccessKeyId"], made["SecretAccessKey"])
    return keys


def serve(port: int, count: int) -> None:
    """Serve until SIGTERM or SIGINT; from the line of JSON on, every request needs a good signature."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server = make_server(
        "127.0.0.1", port, _as_aws(DomainDispatcherApplication(create_backend_app)), threaded=True
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.port}"
    _seed(count)
    keys = _users(url)
    strict = urllib.request.Request(  # noqa: S310
        f"{url}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}
    )
    urllib.request.urlopen(strict, timeout=5).read()  # noqa: S310
    print(json.dumps({"url": url, "keys": keys}), flush=True)
    ended.wait()
    server.shutdown()


class Cloud:
    """The AWS stand-in in a process of its own; use it as a context manager."""

    def __init__(self, port: int = 0, count: int = 1000) -> None:
        command = [sys.executable, "-m", "sandbox.aws", "--port", str(port), "--count", str(count)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            errors = self._process.stderr.read() if self._process.stderr else ""
            raise RuntimeError(f"The AWS stand-in did not start: {errors[-500:]}")
        said = json.loads(line)
        self.url: str = said["url"]
        self.keys: dict[str, tuple[str, str]] = {name: (key[0], key[1]) for name, key in said["keys"].items()}
        self.access_key_id, self.secret_access_key = self.keys["reader"]
        self.limited = self.keys["limited"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _manager(self, region: str) -> Any:
        return _client("secretsmanager", self.url, self.keys["admin"], region)

    def put(self, name: str, value: str, region: str = "eu-west-3") -> None:
        """Write a secret, new or changed."""
        manager = self._manager(region)
        try:
            manager.put_secret_value(SecretId=name, SecretString=value)
        except manager.exceptions.ResourceNotFoundException:
            manager.create_secret(Name=name, SecretString=value)

    def delete(self, name: str, region: str = "eu-west-3") -> None:
        self._manager(region).delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    def value(self, name: str, region: str = "eu-west-3") -> str:
        return str(self._manager(region).get_secret_value(SecretId=name)["SecretString"])


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000, help="secrets per region")
    given = parser.parse_args(list(arguments) if arguments is not None else None)
    serve(given.port, given.count)


if __name__ == "__main__":
    main()
