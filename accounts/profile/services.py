"""What a person changes of their own account. Each change is written in every organization, and told by mail."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from accounts.organizations.models import User
from accounts.sign_in import factors, records, sessions, tasks


@transaction.atomic
def change_name(*, user: User, name: str, by: User) -> None:
    before = user.name
    if before == name:
        return
    user.name = name
    user.save(update_fields=["name"])
    records.everywhere(
        user=user, action="profile.changed", by=by, details={"changes": {"name": [before, name]}}
    )


@sensitive_variables("password")
@transaction.atomic
def change_password(*, request: HttpRequest, user: User, password: str, by: User) -> int:
    """Change the password and end all other sessions; return how many there were."""
    user.set_password(password)
    user.save(update_fields=["password"])
    old = request.session.session_key
    update_session_auth_hash(request, user)
    sessions.move(old=old, new=request.session.session_key)
    records.everywhere(user=user, action="password.changed", by=by, details={"by": "the person"})
    tasks.tell(user, "password.changed")
    return sessions.end_others(user=user, kept=request.session.session_key, by=by)


def _codes_for_first_factor(user: User, by: User) -> list[str]:
    has = Authenticator.objects.filter(user=user, type=factors.Type.RECOVERY_CODES).exists()
    return [] if has else make_recovery_codes(user=user, by=by)


@transaction.atomic
def add_app(*, user: User, secret: str, by: User) -> list[str]:
    """Add an app for codes; with the first factor come recovery codes, which are returned to be shown once."""
    TOTP.activate(user, secret)
    records.everywhere(user=user, action="second_factor.added", by=by)
    tasks.tell(user, "second_factor.added")
    return _codes_for_first_factor(user, by)


@transaction.atomic
def add_passkey(*, user: User, name: str, credential: dict[str, Any], by: User) -> list[str]:
    """Add a passkey; with the first factor come recovery codes, which are returned to be shown once."""
    WebAuthn.add(user, name, credential)
    records.everywhere(user=user, action="passkey.added", by=by, details={"name": name})
    tasks.tell(user, "passkey.added")
    return _codes_for_first_factor(user, by)


@transaction.atomic
def rename_passkey(*, passkey: Authenticator, name: str, by: User) -> None:
    before = passkey.data["name"]
    passkey.data["name"] = name
    passkey.save(update_fields=["data"])
    changes = {"changes": {"name": [before, name]}}
    records.everywhere(user=passkey.user, action="passkey.renamed", by=by, details=changes)


@transaction.atomic
def remove(*, factor: Authenticator, by: User | None) -> None:
    """Remove a factor; recovery codes go with the last one."""
    user = factor.user
    passkey = factor.type == factors.Type.WEBAUTHN
    action = "passkey.removed" if passkey else "second_factor.removed"
    details = {"name": factor.data["name"]} if passkey else {}
    factor.delete()
    if not factors.has_second(user):
        Authenticator.objects.filter(user=user).delete()
    records.everywhere(user=user, action=action, by=by, details=details)
    tasks.tell(user, action)


@transaction.atomic
def make_recovery_codes(*, user: User, by: User) -> list[str]:
    """Make new recovery codes, to be shown once; the old ones end."""
    User.objects.select_for_update().get(pk=user.pk)
    Authenticator.objects.filter(user=user, type=factors.Type.RECOVERY_CODES).delete()
    codes: list[str] = RecoveryCodes.activate(user).generate_codes()
    records.everywhere(user=user, action="recovery_codes.made", by=by, details={"codes": len(codes)})
    tasks.tell(user, "recovery_codes.made")
    return codes
