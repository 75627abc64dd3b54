"""What moto lacks of keys: temporary ones end, and inactive ones are refused."""

from moto.core.utils import utcnow
from moto.iam import access_control
from moto.sts.models import sts_backends

from sandbox import aws_identity


class TemporaryKey(access_control.AssumedRoleAccessKey):
    """Temporary keys that end when they said they would."""

    def __init__(self, account_id: str, partition: str, access_key_id: str, headers: dict[str, str]) -> None:
        super().__init__(account_id, partition, access_key_id, headers)
        for role in sts_backends[account_id][partition].assumed_roles:
            if role.access_key_id == access_key_id and role.expiration <= utcnow():
                raise aws_identity.Refused(
                    403, "ExpiredToken", "The security token included in the request is expired"
                )


class UserKey(access_control.IAMUserAccessKey):
    """A user's key, which is refused while it is inactive."""

    def __init__(self, account_id: str, partition: str, access_key_id: str, headers: dict[str, str]) -> None:
        super().__init__(account_id, partition, access_key_id, headers)
        for key in self.backend.list_access_keys(self._owner_user_name):
            if key.access_key_id == access_key_id and key.status != "Active":
                raise access_control.CreateAccessKeyFailure(reason="InvalidId")


def expire(access_key_id: str) -> None:
    """Let temporary keys have ended."""
    for account in list(sts_backends.values()):
        for backend in list(account.values()):
            for role in backend.assumed_roles:
                if role.access_key_id == access_key_id:
                    role.expiration = utcnow()
