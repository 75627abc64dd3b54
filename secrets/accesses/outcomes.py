"""What an access keeps of a test, and secret managers that only its cluster reaches, which the console cannot test."""

import datetime
from typing import Any

from accesses import providers, trials
from accesses.models import Access, AccessDraft

_WHY = "Only the cluster reaches this secret manager; the console does not."
_THEN = "Names are typed instead of browsed. Whether they are read, the operator tells after a deploy."
# In the audit log.
LEFT_OUT = "left out: only the cluster reaches it"


def columns(result: dict[str, Any], at: Any) -> dict[str, Any]:
    """Return what an access keeps of a test: not the names, which not everybody who sees it may see."""
    quiet = result["listed"] or result["untried"]
    found = {
        "result": result | {"names": [], "facts": [fact | {"on": ""} for fact in result["facts"]]},
        "tested_at": at,
        "verified_error": "" if quiet else result["reason"],
        "verified_remedy": "" if quiet else result["remedy"],
    }
    if (ends := result.get("ends")) is not None:
        found["expires_at"] = datetime.datetime.fromisoformat(ends) if ends else None
    return found | ({"verified_at": at} if result["listed"] else {})


def is_apart(access: Access | AccessDraft) -> bool:
    """Tell whether somebody said that only the cluster reaches it, and no answer has come since."""
    return bool(access.result.get("apart"))


def refuse_apart(access: Access) -> None:
    """Ask nothing of a secret manager that only the cluster reaches: it would be waited for in vain.

    :raises NotPossibleHere: it is one
    """
    if is_apart(access):
        raise providers.NotPossibleHere(_WHY, _THEN)


def apart(reason: str) -> trials.Result:
    """Return a test without an answer, and why there was none, as that of a secret manager that only the cluster reaches: not tried."""
    facts = [trials.Fact("Sign in", None, reason), trials.Fact("List secrets", None, "")]
    return trials.Result(
        facts, usable=True, listed=False, reason=_WHY, remedy=_THEN, untried=True, apart=True
    )


def tried(access: Access, made: bool = True) -> trials.Result:
    """Test an access; one that only the cluster reaches stays so until an answer comes."""
    result = trials.try_access(access, made=made)
    return apart(result.reason) if result.silent and is_apart(access) else result


def left_out(result: dict[str, Any]) -> dict[str, str]:
    """Return what the audit log is told of a test that was left out, or nothing."""
    return {"test": LEFT_OUT} if result.get("apart") else {}
