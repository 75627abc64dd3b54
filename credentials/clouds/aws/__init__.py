"""AWS: asking it, its regions, and its credentials."""

from credentials.clouds.aws.asking import (
    Caller,
    Keys,
    assume_with_token,
    caller,
    client,
    policy,
    translated,
)

__all__ = ["Caller", "Keys", "assume_with_token", "caller", "client", "policy", "translated"]
