"""The three states of an access in words: each with its age and its reason, never merged."""

import datetime
from dataclasses import dataclass

from django.utils import timezone

from accesses.models import Access
from accesses.providers import PROVIDERS

# A token that ends sooner than this wants somebody to act now.
SOON = datetime.timedelta(hours=2)
_UNITS = ((60, 1, "s"), (3600, 60, "min"), (86400 * 2, 3600, "h"))


@dataclass(frozen=True, slots=True)
class State:
    """One state: a badge of the fixed vocabulary and its word, when it was found, by whom, why, what to do."""

    label: str
    badge: str
    word: str
    at: datetime.datetime | None
    text: str = ""
    remedy: str = ""


def of(access: Access) -> list[State]:
    """Return the states in the order in which an access comes to them."""
    return [_accepted(access), _validated(access), _verified(access)]


def _old(access: Access, at: datetime.datetime | None) -> bool:
    """Tell whether what was found is about a configuration that has changed since."""
    return at is not None and at < access.updated_at


def _accepted(access: Access) -> State:
    label, at = "Accepted", access.accepted_at
    if access.accepted_error:
        return State(
            label, "refused", "Refused", access.accepted_checked_at, access.accepted_error,
            "Correct what the message names, then deploy.",
        )  # fmt: skip
    if at is None:
        return State(
            label, "never deployed", "Never deployed", None, "The API server gets the store by a deploy."
        )
    if _old(access, at):
        return State(
            label,
            "out of date",
            "Out of date",
            at,
            "The store is as it was before the last change.",
            "Deploy.",
        )
    return State(label, "accepted", label, at, "The API server took the store.")


def _validated(access: Access) -> State:
    label, at = "Validated", access.validated_at
    if access.validated is None:
        return State(
            label, "unknown", "Not asked yet", None, "The operator looks at the store after a deploy."
        )
    said = f"The operator says: {access.validated_reason}"
    if not access.validated:
        remedy = access.validated_remedy or "Test the access, correct it, then deploy."
        return State(label, "failed", "Not validated", at, access.validated_reason, remedy)
    if _old(access, at):
        return State(label, "out of date", "Out of date", at, "That was before the last change.", "Deploy.")
    if access.validated_remedy:
        # Its own store is well; one for secrets that are read elsewhere is not.
        return State(label, "validated", label, at, access.validated_reason, access.validated_remedy)
    return State(label, "validated", label, at, f"{said}. {_proves(access)}")


def _proves(access: Access) -> str:
    """Return what the operator's word is worth: keys of AWS it only reads, by tokens and at Google it signs in."""
    provider = PROVIDERS[access.provider]
    if provider.method_of(access).annotations is None and provider.cloud == "aws":
        return "It does not try the identity."
    return "It signed in; that proves no right to a secret."


def _verified(access: Access) -> State:
    label = "Verified"
    if access.verified_error:
        text = access.verified_error
        denied = not access.result.get("refused") and bool(access.result.get("policy"))
        return State(
            label, "denied" if denied else "failed", "Not verified", access.tested_at, text,
            access.verified_remedy,
        )  # fmt: skip
    if access.result.get("untried"):
        text, remedy = access.result["reason"], access.result["remedy"]
        return State(label, "unknown", "Not tried", access.tested_at, text, remedy)
    if access.verified_at is None:
        return State(label, "unknown", "Not tested yet", None, "The console has not listed names with it.")
    return State(label, "verified", label, access.verified_at, "The console listed names with its identity.")


def expiry(access: Access) -> State | None:
    """Return how long its session token still holds, or None when nobody said that it ends."""
    if access.expires_at is None:
        return None
    label = "Session token" if access.provider.startswith("aws") else "Token"
    left = access.expires_at - timezone.now()
    exact = f"{access.expires_at.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC"
    remedy = "Edit the access and enter new keys, then deploy."
    if left <= datetime.timedelta():
        text = f"It ended at {exact}: nothing is read with it any more. Values that the cluster has stay."
        return State(label, "ended", f"Ended {_span(-left)} ago", None, text, remedy)
    soon = left < SOON
    text = f"It ends at {exact}, and syncing ends with it."
    return State(
        label, "ending" if soon else "ends", f"Ends in {_span(left)}", None, text, remedy if soon else ""
    )


def _span(time: datetime.timedelta) -> str:
    """Return a length of time in words: `3 h`."""
    seconds = int(time.total_seconds())
    unit, name = next(((unit, name) for limit, unit, name in _UNITS if seconds < limit), (86400, "d"))
    return f"{seconds // unit} {name}"
