"""AWS Parameter Store, played by moto."""

from dataclasses import replace

from sandbox import world as demo
from tests.accesses.worlds import Sandbox, World, aws_secrets_manager

METHODS = ("static",)


def world(sandbox: Sandbox, method: str) -> World:
    names = demo.names(aws_secrets_manager.COUNT)[: demo.PARAMETERS]
    return replace(
        aws_secrets_manager.world(sandbox, method),
        permission="ssm:DescribeParameters",
        names=[f"/{name}" for name in names],
        value=sandbox.aws.parameter_value,
        namespace="/written/",
        forget=lambda name: sandbox.aws.client("ssm").delete_parameter(Name=name),
    )
