"""AWS, as far as the demo and the tests need it: moto over HTTP on a loopback port, which refuses wrong keys.

`python -m sandbox.aws --port N` prints one line of JSON with the address and the keys, then serves.
"""

import argparse
import base64
import contextlib
import json
import logging
import signal
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any

from credentials.clouds.aws import policies
from sandbox import world
from sandbox.kubernetes import Cluster
from sandbox.standin import StandIn

REGION = world.REGIONS[0]


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


def _post(url: str, body: bytes, kind: str = "application/json") -> None:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind})  # noqa: S310
    urllib.request.urlopen(request, timeout=5).read()  # noqa: S310


def serve(port: int, count: int) -> None:
    """Serve until SIGTERM or SIGINT; from the line of JSON on, every request needs a good signature."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    from sandbox import aws_gate, aws_moto, aws_seeds

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    aws_moto.teach()
    application = aws_gate.as_aws(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", port, application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.port}"
    aws_seeds.fill(count)
    keys = aws_seeds.make_users(world.ACCOUNT)
    others = aws_seeds.make_users(world.OTHER_ACCOUNT)
    keys |= {"foreigner": others["administrator"], "keyhaven": others["keyhaven"]}
    _post(f"{url}/moto-api/reset-auth", b"0", "text/plain")
    print(json.dumps({"url": url, "keys": keys}), flush=True)
    ended.wait()
    server.shutdown()


def described(cluster: Cluster, name: str, region: str) -> dict[str, Any]:
    """Return what EKS tells of a running cluster, as `POST /sandbox/eks` takes it."""
    authority = base64.b64encode(cluster.ca_pem.encode()).decode()
    version = ".".join(cluster.api.version.removeprefix("v").split(".")[:2])
    return {
        "name": name, "region": region, "endpoint": cluster.url, "ca": authority, "issuer": cluster.issuer,
        "version": version,
    }  # fmt: skip


def enroll(url: str, cluster: Cluster, name: str, access: Iterable[str], region: str = REGION) -> None:
    """Let EKS know a running cluster, which from now on takes the tokens of AWS's identities; those of `access`, as
    ARNs, may do everything."""
    given = described(cluster, name, region) | {"access": list(access)}
    _post(f"{url}/sandbox/eks", json.dumps(given).encode())
    cluster.let_in_by_iam(url, name, region)


class Cloud(StandIn):
    """The AWS stand-in."""

    module = "sandbox.aws"

    def hear(self, said: dict[str, Any]) -> None:
        self.keys: dict[str, tuple[str, str]] = {name: (key[0], key[1]) for name, key in said["keys"].items()}
        self.access_key_id, self.secret_access_key = self.keys["reader"]
        self.limited = self.keys["limited"]

    def client(self, service: str, user: str = "admin", region: str = "eu-west-3") -> Any:
        """Return a boto3 client of one of the users."""
        return _client(service, self.url, self.keys[user], region)

    # -- secrets and parameters ----------------------------------------------------------------------
    def put(self, name: str, value: str, region: str = "eu-west-3") -> None:
        """Write a secret, new or changed."""
        manager = self.client("secretsmanager", region=region)
        try:
            manager.put_secret_value(SecretId=name, SecretString=value)
        except manager.exceptions.ResourceNotFoundException:
            manager.create_secret(Name=name, SecretString=value)

    def delete(self, name: str, region: str = "eu-west-3") -> None:
        manager = self.client("secretsmanager", region=region)
        manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    def value(self, name: str, region: str = "eu-west-3") -> str:
        manager = self.client("secretsmanager", region=region)
        return str(manager.get_secret_value(SecretId=name)["SecretString"])

    def put_parameter(
        self, name: str, value: str, kind: str = "SecureString", region: str = "eu-west-3"
    ) -> None:
        """Write a parameter, new or a new version."""
        self.client("ssm", region=region).put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)

    def parameter_value(self, name: str, region: str = "eu-west-3") -> str:
        found = self.client("ssm", region=region).get_parameter(Name=name, WithDecryption=True)
        return str(found["Parameter"]["Value"])

    # -- identities ----------------------------------------------------------------------------------
    def trust(self, cluster: Cluster) -> None:
        """Let AWS fetch the keys of a cluster's issuer, as it does with a public one."""
        given = {"issuer": cluster.issuer, "jwks": cluster.jwks()}
        _post(f"{self.url}/sandbox/issuers", json.dumps(given).encode())

    def register_eks(self, **given: Any) -> None:
        """Let EKS know a cluster, as `sandbox.aws_eks.register` takes it; told again, it replaces."""
        _post(f"{self.url}/sandbox/eks", json.dumps(given).encode())

    def enroll(self, cluster: Cluster, name: str, access: Iterable[str] = (), region: str = REGION) -> None:
        """Let EKS know a running cluster, as `enroll` does."""
        enroll(self.url, cluster, name, access, region)

    def make_user(self, name: str, actions: Iterable[str]) -> tuple[str, str]:
        """Make an IAM user who may do this, unless it is there, and return a new access key of it."""
        iam = self.client("iam", "administrator")
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_user(UserName=name)
        allowed = _policy({"Effect": "Allow", "Action": list(actions), "Resource": "*"})
        iam.put_user_policy(UserName=name, PolicyName="sandbox", PolicyDocument=allowed)
        return self.make_key(name)

    def make_key(self, user: str) -> tuple[str, str]:
        """Return another access key of an IAM user."""
        made = self.client("iam", "administrator").create_access_key(UserName=user)["AccessKey"]
        return made["AccessKeyId"], made["SecretAccessKey"]

    @contextlib.contextmanager
    def without_key(self, user: str, access_key_id: str) -> Iterator[None]:
        """Let an access key be inactive meanwhile."""
        iam = self.client("iam", "administrator")
        iam.update_access_key(UserName=user, AccessKeyId=access_key_id, Status="Inactive")
        try:
            yield
        finally:
            iam.update_access_key(UserName=user, AccessKeyId=access_key_id, Status="Active")

    def expire(self, access_key_id: str) -> None:
        """Let the temporary keys have ended."""
        _post(f"{self.url}/sandbox/expire", json.dumps({"access_key_id": access_key_id}).encode())

    def role(
        self,
        name: str,
        issuer: str,
        subject: str,
        actions: Iterable[str],
        *,
        account: str = world.ACCOUNT,
        audience: str = "sts.amazonaws.com",
        resource: str = "*",
    ) -> str:
        """Make the IAM OIDC provider of an issuer, if it is missing, and a role that trusts one of its subjects;
        return the role's ARN. The account is one of the world's two.
        """
        iam = self.client("iam", "administrator" if account == world.ACCOUNT else "foreigner")
        host = issuer.removeprefix("https://")
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_open_id_connect_provider(Url=issuer, ClientIDList=[audience])
        trust = {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{account}:oidc-provider/{host}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{host}:aud": audience, f"{host}:sub": subject}},
        }
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
        iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=_policy(statement))
        return str(made["Role"]["Arn"])

    def console_role(self, name: str, external_id: str) -> str:
        """Make a role that lets the console in with an external id (empty: with any), and return its ARN."""
        iam = self.client("iam", "administrator")
        principal = f"arn:aws:iam::{world.OTHER_ACCOUNT}:user/keyhaven"
        trust: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": "sts:AssumeRole",
        }
        if external_id:
            trust["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
        arn = str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"])
        iam.put_role_policy(
            RoleName=name, PolicyName="keyhaven", PolicyDocument=policies.for_aws(world.ACCOUNT, role_arn=arn)
        )
        return arn


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000, help="secrets per region")
    given = parser.parse_args(list(arguments) if arguments is not None else None)
    serve(given.port, given.count)


if __name__ == "__main__":
    main()
