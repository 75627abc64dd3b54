"""Trying an access: sign in as the cluster would, list names, and say what may be done and what is missing."""

import contextlib
from dataclasses import asdict, dataclass, field
from typing import Any

from accesses import manifests, providers, seeing
from accesses.models import Access, AccessDraft
from clusters import kubernetes

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a test's result: `ok` None is “could not be tried”, `on` the secret's name that it was tried on."""

    label: str
    ok: bool | None
    text: str
    on: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a test of an access found; `usable` says whether it may be saved, `names` are the first few seen.

    `about` names the form's field that a refusal is about, where it is about one.
    """

    facts: list[Fact]
    usable: bool
    listed: bool
    refused: bool = False
    reason: str = ""
    remedy: str = ""
    policy: str = ""
    about: str = ""
    names: list[str] = field(default_factory=list)
    more: bool = False
    # Not to be had from here, or not made yet: neither well nor failed.
    untried: bool = False
    # No answer came from an address that somebody typed: the cluster may reach it all the same.
    silent: bool = False
    # Somebody says that only the cluster reaches it: see `outcomes`.
    apart: bool = False
    # When the credential ends, in ISO 8601, or empty if never; None where the manager does not tell.
    ends: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def connect(access: Access | AccessDraft) -> providers.SecretManager:
    """Return the secret manager as the access signs in to it, and no more of it than the access sees.

    :raises ProviderError: signing in failed already
    """
    provider = providers.PROVIDERS[access.provider]
    manager = provider.connect(access, provider.method_of(access).sign_in(access))
    return seeing.around(manager, access)


def has_keys(access: Access | AccessDraft) -> bool:
    """Tell whether there is what its method signs in with; a draft's cloud credential may be deleted after its test."""
    needed = providers.PROVIDERS[access.provider].method_of(access).form.secret_names()
    return not needed or bool(access.credential) or access.cloud_credential is not None


def try_access(access: Access | AccessDraft, *, made: bool = True) -> Result:
    """List names with the access's own identity; a failure is a result, not an exception. Touches no database.

    `made` False says that no deploy has made the identity yet: then what it will be made with is tried.
    """
    method = providers.PROVIDERS[access.provider].method_of(access)
    try:
        if method.rehearse is not None and not made:
            return _rehearsed(method.rehearse(access))
        ensure_service_account(access)
        manager = connect(access)
    except providers.ProviderError as error:
        return _failed(access, method, error)
    try:
        page = manager.page()
    except providers.PermissionMissing as error:
        return _not_listed(manager, error)
    except providers.ProviderError as error:
        return _failed(access, method, error)
    names = [entry.name for entry in page.entries]
    more = len(names) > SHOWN or bool(page.cursor)
    text = "" if names or page.cursor else _nothing(access)
    facts = [_signed_in(manager), Fact("List secrets", True, text), *_probes(manager, page)]
    missing = [fact for fact in facts if fact.ok is False]
    return Result(
        facts,
        usable=True,
        listed=True,
        policy=_missing(manager, missing),
        names=names[:SHOWN],
        more=more,
        ends=_ends(manager),
    )


def _ends(manager: providers.SecretManager) -> str | None:
    with contextlib.suppress(providers.ProviderError):
        if isinstance(manager, providers.TellsEnd):
            until = manager.ends_at()
            return until.isoformat(timespec="seconds") if until else ""
    return None


def _nothing(access: Access | AccessDraft) -> str:
    """Say that nothing was listed, and of what."""
    tagged = " with the default tags" if access.only_tagged else ""
    if access.prefix:
        return f"No secret{tagged} begins with {access.prefix} yet."
    return f"There are no secrets{tagged} there yet."


def _rehearsed(facts: list[tuple[str, str]]) -> Result:
    """Return what an access is before its first deploy: possible, and not tried."""
    shown = [Fact(label, True, text) for label, text in facts]
    last = Fact("List secrets", None, "The first deploy makes the identity, then tries it.")
    reason, remedy = "The identity is not made yet.", "The first deploy makes it, then lists names with it."
    return Result([*shown, last], True, False, reason=reason, remedy=remedy, untried=True)


def _failed(access: Access | AccessDraft, method: providers.Method, error: providers.ProviderError) -> Result:
    """Return a test that did not get as far as an answer about names."""
    said: dict[str, Any] = {"reason": error.reason, "remedy": error.remedy, "about": method.field_of(error)}
    if isinstance(error, providers.NotPossibleHere):
        facts = [Fact("Sign in", None, error.reason), Fact("List secrets", None, "")]
        return Result(facts, True, False, untried=True, **said)
    if isinstance(error, providers.CredentialRefused):
        facts = [Fact("Sign in", False, error.reason), Fact("List secrets", None, "")]
        return Result(facts, False, False, refused=True, policy=getattr(error, "policy", ""), **said)
    facts = [Fact("Sign in", None, ""), Fact("List secrets", False, error.reason)]
    return Result(facts, False, False, silent=_is_silent(access, error), **said)


def _is_silent(access: Access | AccessDraft, error: providers.ProviderError) -> bool:
    """Tell whether there was no answer from a typed address; where the cluster gave none, it reaches nothing either."""
    typed = providers.PROVIDERS[access.provider].typed_address
    return (
        typed and isinstance(error, providers.NotReachable) and not isinstance(error, providers.ClusterSilent)
    )


def _not_listed(manager: providers.SecretManager, error: providers.PermissionMissing) -> Result:
    facts = [_signed_in(manager), Fact("List secrets", False, f"Denied: missing {error.permission}")]
    remedy = f"{error.remedy} Until then names are typed instead of browsed."
    return Result(facts, True, False, reason=error.reason, remedy=remedy, policy=error.policy)


def _signed_in(manager: providers.SecretManager) -> Fact:
    """Say as whom; that it worked is known already, so that not being told is no failure."""
    try:
        return Fact("Sign in", True, f"As {manager.whoami()}")
    except providers.ProviderError:
        return Fact("Sign in", True, "The identity's name could not be read.")


def _probes(manager: providers.SecretManager, page: providers.Page) -> list[Fact]:
    """Return which of the needed actions the identity has, as far as that can be told without reading a value."""
    with contextlib.suppress(providers.ProviderError):
        # What is scheduled for deletion answers no request, whatever the identity may do.
        entries = [entry for entry in page.entries if entry.deletes_at is None]
        return [Fact(one.action, one.ok, one.text, one.on) for one in manager.probe(entries)]
    return []


def _missing(manager: providers.SecretManager, missing: list[Fact]) -> str:
    return manager.statement([fact.label for fact in missing]) if missing else ""


def ensure_service_account(access: Access | AccessDraft) -> None:
    """Make the access's own ServiceAccount where it is not there yet: a token can be asked for nothing else.

    One that is there stays as it is: what it says is for a deploy to change.

    :raises ProviderError: the cluster does not take it
    """
    wanted = manifests.service_account(access)
    if wanted is None:
        return
    metadata = wanted["metadata"]
    namespace = metadata["namespace"]
    try:
        door = kubernetes.connect(access.cluster)
        if door.get("v1", "ServiceAccount", metadata["name"], namespace) is not None:
            return
        if door.get("v1", "Namespace", namespace) is None:
            door.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        door.apply(wanted)
    except kubernetes.Forbidden as error:
        raise providers.NotPossibleHere(
            f"The console may not make the ServiceAccount {namespace}/{metadata['name']}.", error.remedy
        ) from None
    except kubernetes.ClusterError as error:
        raise providers.ClusterSilent(f"The cluster does not answer: {error.reason}", error.remedy) from None
