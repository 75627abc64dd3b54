"""A role that the console assumes with the organization's external id: no key is stored, and none ends unnoticed."""

import re
import threading
import time
import uuid
from collections import OrderedDict
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.views.decorators.debug import sensitive_variables

from credentials.clouds import errors
from credentials.clouds.aws import arns, asking, console, policies
from credentials.clouds.base import Facts, Secret
from credentials.fields import SecretForm

# An hour is what every role allows, also one that is assumed by a role.
SECONDS = 3600
# Keys are made anew when they end within these.
SPARE = 300
MOST_KEPT = 256


class RoleForm(SecretForm):
    """A role that trusts the console."""

    arn = forms.CharField(
        label="Role ARN",
        max_length=700,
        help_text=f"From the stack's outputs, or the role's page in IAM, like {arns.EXAMPLE}.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_arn(self) -> str:
        try:
            return arns.role(self.cleaned_data["arn"]).arn
        except arns.NoRole as error:
            raise forms.ValidationError(str(error)) from None


class _Kept:
    """Temporary keys in this process's memory, by role and external id, the least used ones dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[str, ...], tuple[float, asking.Keys]] = OrderedDict()

    def get(self, name: tuple[str, ...]) -> asking.Keys | None:
        with self._lock:
            until, keys = self._found.get(name, (0.0, None))
            if keys is None or time.time() >= until - SPARE:
                self._found.pop(name, None)
                return None
            self._found.move_to_end(name)
            return keys

    @sensitive_variables()
    def put(self, name: tuple[str, ...], until: float, keys: asking.Keys) -> None:
        with self._lock:
            self._found[name] = (until, keys)
            self._found.move_to_end(name)
            while len(self._found) > MOST_KEPT:
                self._found.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._found.clear()

    def __len__(self) -> int:
        return len(self._found)


kept = _Kept()


def _name(role: arns.Role, external_id: str) -> tuple[str, ...]:
    return (role.arn, external_id, console.source())


def session_name(issuer: str) -> str:
    """Return what the account's CloudTrail calls the console's sessions: `keyhaven@` and its host."""
    host = re.sub(r"[^\w.-]", "", urlsplit(issuer).hostname or "", flags=re.ASCII)
    return f"keyhaven@{host}"[:64]


@sensitive_variables()
def identify(secret: Secret, given: Facts) -> Facts:
    """Assume the role, and prove that it asks for the external id.

    :raises ProviderError: it does not let the console in, or also lets others in by way of the console
    """
    role, external_id, session = _role(given), given["subject"], session_name(given["issuer"])
    keys = _assume(role, external_id, session)
    _check_closed(role, external_id, session)
    caller = asking.caller(keys, role.region)
    return {
        "partition": role.partition,
        "arn": role.arn,
        "account": caller.account,
        "external_id": external_id,
        "session": session,
    }


@sensitive_variables()
def sign_in(secret: Secret, facts: Facts) -> asking.Keys:
    """Return temporary keys of the role that are good for five minutes at least.

    :raises ProviderError: it does not let the console in, or AWS does not answer
    """
    role, external_id = _role(facts), facts["subject"]
    found = kept.get(_name(role, external_id))
    return found or _assume(role, external_id, session_name(facts["issuer"]))


def _role(facts: Facts) -> arns.Role:
    try:
        return arns.role(facts.get("arn", ""))
    except arns.NoRole as error:
        raise errors.NotValid(str(error)) from None


@sensitive_variables()
def _assume(role: arns.Role, external_id: str, session: str) -> asking.Keys:
    """Return new keys of the role, and keep them."""
    try:
        answer = _ask(role, session, ExternalId=external_id)
    except errors.PermissionMissing:
        raise _not_trusted(role, external_id) from None
    found = answer["Credentials"]
    keys = asking.Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    kept.put(_name(role, external_id), found["Expiration"].timestamp(), keys)
    return keys


def _check_closed(role: arns.Role, external_id: str, session: str) -> None:
    """Refuse a role that takes no external id, or any: whoever else uses this console could name it as theirs."""
    # Another one of the same shape, so that a pattern in the trust policy is found out.
    for wrong in ({}, {"ExternalId": f"keyhaven-{uuid.uuid4().hex}"}):
        try:
            _ask(role, session, **wrong)
        except errors.PermissionMissing:
            continue
        kept.clear()
        how = "also takes another one" if wrong else "lets the console in without it"
        raise errors.TrustMissing(
            f"The role does not ask for the external id of this organization: it {how}.",
            "Give the role the trust policy that this page shows. As it is, anybody else on this console could use it.",
            policies.trust(console.principal() or policies.PRINCIPAL, external_id),
        )


@sensitive_variables()
def _ask(role: arns.Role, session: str, **external: str) -> dict[str, Any]:
    """Ask for the role's keys as the console.

    :raises PermissionMissing: the role is not there or does not trust the console, which AWS does not tell apart
    :raises ProviderError: anything else
    """
    from botocore import exceptions

    own = console.keys()
    try:
        with asking.translated("sts:AssumeRole", role.region, ""):
            try:
                found: dict[str, Any] = asking.client("sts", own, role.region).assume_role(
                    RoleArn=role.arn, RoleSessionName=session, DurationSeconds=SECONDS, **external
                )
            except exceptions.ClientError as error:
                _check_duration(error)
                raise
    except errors.CredentialRefused:
        # The keys that signed are the console's.
        raise _own_refused(role) from None
    return found


def _check_duration(error: Any) -> None:
    if "DurationSeconds" in str(error.response.get("Error", {}).get("Message", "")):
        raise errors.NotValid(
            "The role's sessions may not be as long as the console needs them, which is one hour.",
            "Set the role's maximum session duration to one hour or more.",
        ) from None


def _own_refused(role: arns.Role) -> errors.ProviderError:
    partition = console.principal().partition("arn:")[2].partition(":")[0]
    if partition and partition != role.partition:
        return errors.NotPossibleHere(
            f"The role is in the partition {role.partition}, and the console's own identity in {partition}; "
            "AWS lets nobody across.",
            "Use an access key of an IAM user in that partition.",
        )
    return console.refused()


def _not_trusted(role: arns.Role, external_id: str) -> errors.TrustMissing:
    principal = console.principal()
    return errors.TrustMissing(
        "The role is not there, or it does not let the console in with this organization's external id.",
        "Compare the ARN, and give the role the trust policy that this page shows; AWS knows a change after some "
        f"seconds. Where both are right, {principal or 'the console itself'} lacks sts:AssumeRole on this role, which an "
        "administrator of Keyhaven allows.",
        policies.trust(principal or policies.PRINCIPAL, external_id),
    )
