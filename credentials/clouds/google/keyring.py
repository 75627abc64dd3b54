"""The keys of a service account: made, disabled and deleted by the console itself, where a role lets it."""

import base64
import datetime
import re
import shlex
from typing import Any

from django.utils.dateparse import parse_datetime
from django.views.decorators.debug import sensitive_variables

from credentials.clouds import errors, google
from credentials.clouds.base import Facts, Key, Keyring, Secret, Session

ROLE = "keyhaven_own_keys"
PERMISSIONS = tuple(
    f"iam.serviceAccountKeys.{verb}" for verb in ("create", "delete", "disable", "enable", "get", "list")
)
USED = "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query"
# Google tells the day of a use, and that a day or two later.
LAG = datetime.timedelta(days=3)
# Keys that never end are told to end in the year 9999.
_NEVER = 9000
_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")


def _account(facts: Facts) -> str:
    email, project = facts.get("email", ""), facts.get("project", "")
    if not (google.EMAIL.fullmatch(email) and google.PROJECT.fullmatch(project)):
        raise errors.NotPossibleHere(
            "It is not known which service account this is.", "Give its key.json anew."
        )
    return f"projects/{project}/serviceAccounts/{email}"


def _key(facts: Facts, key_id: str) -> str:
    if not _ID.fullmatch(key_id):
        raise errors.NotThere("Google has no such key.")
    return f"v1/{_account(facts)}/keys/{key_id}"


def _time(said: Any) -> datetime.datetime | None:
    found = parse_datetime(said) if isinstance(said, str) else None
    return found if found and found.year < _NEVER else None


@sensitive_variables()
def keys(session: Session, facts: Facts) -> list[Key]:
    """Return the keys that people and the console made, the oldest first; Google's own are not among them."""
    path = f"v1/{_account(facts)}/keys"
    said = google.Api(session).call("GET", "iam", path, PERMISSIONS[-1], keyTypes="USER_MANAGED")
    found = [
        Key(
            id=str(one.get("name", "")).rpartition("/")[2],
            made_at=_time(one.get("validAfterTime")),
            active=not one.get("disabled"),
        )
        for one in said.get("keys") or []
    ]
    return sorted(found, key=lambda one: ((one.made_at is not None and one.made_at.timestamp()) or 0, one.id))


@sensitive_variables()
def make(session: Session, facts: Facts) -> tuple[Secret, Facts]:
    """Make a key; Google takes up to a minute until it knows it everywhere."""
    path, body = f"v1/{_account(facts)}/keys", {"privateKeyType": "TYPE_GOOGLE_CREDENTIALS_FILE"}
    try:
        said = google.Api(session).call("POST", "iam", path, PERMISSIONS[0], body)
    except errors.NotValid:
        raise errors.ProviderError(
            "Google makes no more keys for this service account: it has ten, or a policy of the organization forbids keys "
            "(iam.disableServiceAccountKeyCreation).",
            "Delete keys that nobody uses, or use workload identity federation, which needs none.",
        ) from None
    try:
        key = google.parse_key(base64.b64decode(str(said.get("privateKeyData")), validate=True).decode())
    except (ValueError, google.KeyRefused):
        raise errors.ProviderError(
            "Google made a key that cannot be read.",
            "Look at the service account's keys at Google; delete the newest.",
        ) from None
    return {"key": google.text_of(key)}, google.facts(key) | _ends(said)


def _ends(said: dict[str, Any]) -> Facts:
    """Return when a key was made and when it ends, as facts."""
    times = {"made": _time(said.get("validAfterTime")), "expires": _time(said.get("validBeforeTime"))}
    return {name: at.isoformat() for name, at in times.items() if at}


@sensitive_variables()
def times(session: Session, facts: Facts) -> Facts:
    """Return when the key was made and when it ends; nothing where Google does not tell this identity."""
    try:
        return _ends(google.Api(session).call("GET", "iam", _key(facts, facts["key_id"]), PERMISSIONS[4]))
    except errors.ProviderError:
        return {}


@sensitive_variables()
def used(session: Session, facts: Facts, key_id: str) -> datetime.datetime | None:
    """Return when a key signed in last: the beginning of the day, which Google tells a day or two later.

    :raises NotPossibleHere: the identity may not ask, or the interface is not enabled
    """
    activity, key = "serviceAccountKeyLastAuthentication", _key(facts, key_id).removeprefix("v1/")
    path = f"v1/projects/{facts['project']}/locations/global/activityTypes/{activity}/activities:query"
    wanted = f'activities.full_resource_name="//iam.googleapis.com/{key}"'
    try:
        said = google.Api(session).call("GET", "policyanalyzer", path, USED, filter=wanted, pageSize=1)
    except (errors.NotReachable, errors.Throttled):
        raise
    except errors.ProviderError as error:
        raise errors.NotPossibleHere(
            f"Google does not tell when a key was used. {error.reason}", error.remedy
        ) from None
    for one in said.get("activities") or []:
        return _time((one.get("activity") or {}).get("lastAuthenticatedTime"))
    return None


@sensitive_variables()
def _change(session: Session, facts: Facts, key_id: str, verb: str) -> None:
    """Disable, enable or delete a key."""
    path, permission = _key(facts, key_id), f"iam.serviceAccountKeys.{verb}"
    api = google.Api(session)
    if verb == "delete":
        api.call("DELETE", "iam", path, permission)
    else:
        api.call("POST", "iam", f"{path}:{verb}", permission, {})


def disable(session: Session, facts: Facts, key_id: str) -> None:
    """Let a key sign in no more; what is gone is no error."""
    try:
        _change(session, facts, key_id, "disable")
    except errors.NotThere:
        return


def enable(session: Session, facts: Facts, key_id: str) -> None:
    """Let a disabled key sign in again."""
    _change(session, facts, key_id, "enable")


def remove(session: Session, facts: Facts, key_id: str) -> None:
    """Delete a key for good; what is gone is no error."""
    try:
        _change(session, facts, key_id, "delete")
    except errors.NotThere:
        return


def policy(facts: Facts) -> str:
    """Return the gcloud lines that let a service account renew its own keys, and those of no other."""
    project = shlex.quote(facts.get("project") or "PROJECT_ID")
    email = facts.get("email") or "SERVICE_ACCOUNT_EMAIL"
    member = shlex.quote(f"serviceAccount:{email}")
    return (
        "gcloud services enable iam.googleapis.com policyanalyzer.googleapis.com \\\n"
        f"  --project={project}\n"
        f"gcloud iam roles create {ROLE} --project={project} --stage=GA \\\n"
        f"  --permissions={','.join(PERMISSIONS)}\n"
        f"gcloud iam service-accounts add-iam-policy-binding {shlex.quote(email)} \\\n"
        f"  --role=projects/{project}/roles/{ROLE} --member={member} --condition=None\n"
        f"gcloud projects add-iam-policy-binding {project} \\\n"
        f"  --role=roles/policyanalyzer.activityAnalysisViewer --member={member} --condition=None"
    )


KEYRING = Keyring(
    keys=keys,
    make=make,
    used=used,
    disable=disable,
    enable=enable,
    remove=remove,
    lag=LAG,
    policy=policy,
    policy_note="The role is granted on the service account itself, so that it renews its own keys and no other's. The last "
    "line lets Keyhaven see when a key was used; Google tells that a day or two later. Without it a person confirms it.",
)
