"""Making, changing and removing accesses, and keeping what a test of them found."""

import copy
from functools import partial
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accesses import identities, outcomes, providers, seeing, signals, situations, trials, variants, wanted
from accesses.models import Access, AccessDraft
from accounts.audit import services as audit
from accounts.models import User
from clusters import services as clusters
from clusters.models import Cluster
from credentials.models import CloudCredential


class NameTaken(ValueError):
    """The cluster already has an access of that name."""


class NotUsable(ValueError):
    """The draft was not tested, or its credential does not work."""


class Changed(ValueError):
    """Somebody else changed the access since the form was shown."""


class InUse(ValueError):
    """Linked secrets use what would go away; they are counted."""


def connect(access: Access) -> providers.SecretManager:
    """Return the secret manager as the access signs in to it.

    :raises ProviderError: signing in failed, or nothing is there to sign in to before a deploy
    """
    outcomes.refuse_apart(access)
    method = providers.PROVIDERS[access.provider].method_of(access)
    if method.rehearse is not None and not identities.are_made(access):
        raise providers.NotPossibleHere(
            "The identity is not made yet.", f"Deploy {access.cluster}: it makes it."
        )
    return trials.connect(access)


def verify(access: Access, *, by: User) -> trials.Result:
    """Test an access, keep on it what was found, and tell the audit log who asked and how it ended."""
    result = outcomes.tried(access, made=identities.are_made(access))
    with transaction.atomic():
        keep(access, result)
        if result.listed or result.untried:
            _record(access, "access.tested", by, {"names": "listed" if result.listed else "not tried"})
        else:
            _record(access, "access.test_failed", by, {"error": result.reason})
    return result


def keep(access: Access, result: trials.Result) -> trials.Result:
    """Keep on an access what a test of it found."""
    found = Access.objects.filter(pk=access.pk, version=access.version)
    found.update(**outcomes.columns(result.as_json(), timezone.now()))
    return result


def _announce(access: Access) -> None:
    # Robust: what listens must not turn a change that is made into an error page.
    transaction.on_commit(partial(signals.access_saved.send_robust, sender=Access, access=access))


@sensitive_variables()
@transaction.atomic
def create(*, draft: AccessDraft, by: User, apart: bool = False) -> Access:
    """Make an access of a tested draft and end the draft; the access has the draft's id.

    `apart` says that only the cluster reaches the secret manager: then a test without an answer will do.

    :raises NotUsable: it was not tested as it is now, or its credential does not work
    :raises NameTaken: the cluster has an access of that name
    :raises situations.NotPossible: the method is not possible on the cluster, by now
    :raises AccessDraft.DoesNotExist: it was made an access already
    """
    draft = AccessDraft.objects.select_for_update(of=("self",)).select_related("cluster").get(pk=draft.pk)
    _check_tested(draft, apart)
    access = Access(
        id=draft.pk,
        cluster=draft.cluster,
        provider=draft.provider,
        method=draft.method,
        name=draft.name,
        configuration=draft.configuration,
        credential=draft.credential,
        cloud_credential=draft.cloud_credential,
        **{name: getattr(draft, name) for name in seeing.COLUMNS},
        credential_set_at=draft.credential_set_at,
        credential_set_by=str(by),
        namespaces=draft.namespaces,
        **{"expires_at": draft.expires_at} | outcomes.columns(draft.result, draft.tested_at),
    )
    situations.enforce(access)
    try:
        with transaction.atomic():
            access.save(force_insert=True)
    except IntegrityError as error:
        raise NameTaken(f"{draft.cluster} already has an access named {draft.name}.") from error
    clusters.changed(access.cluster)
    credential = {"credential": "set" if access.credential else "none"}
    _record(access, "access.created", by, credential | outcomes.left_out(access.result))
    draft.delete()
    _announce(access)
    return access


def _check_tested(draft: AccessDraft, apart: bool) -> None:
    """Refuse a draft that was not tested or does not work; where `apart` is said, no answer is none that is missed.

    :raises NotUsable: with the reason
    """
    if apart and draft.result.get("silent"):
        draft.result = outcomes.apart(draft.result["reason"]).as_json()
    if not draft.result.get("usable") or draft.tested_at is None:
        raise NotUsable(draft.result.get("reason") or "Test the access first.")
    if not trials.has_keys(draft):
        raise NotUsable("The cloud credential that was tested is gone. Choose another in the details.")


def _record(access: Access, action: str, by: User, more: dict[str, Any]) -> None:
    details = {
        "cluster": access.cluster.name,
        "provider": access.provider,
        **wanted.public_of(access),
        **more,
    }
    organization = access.cluster.organization
    audit.record(organization=organization, by=by, action=action, target=access, details=details)


@sensitive_variables()
@transaction.atomic
def change(
    *, access: Access, values: wanted.Values, result: trials.Result | None, seen_version: int, by: User
) -> bool:
    """Change an access that was tested with the new values; return whether anything differs.

    `result` None says that nothing was to be tested anew.

    :raises Changed: somebody else changed it since version `seen_version`
    :raises InUse: a service of a namespace that would be shut out has a linked secret
    :raises situations.NotPossible: the new method is not possible on the cluster
    """
    # The cluster first, as everywhere, so that no two changes wait for each other.
    Cluster.objects.select_for_update(no_key=True).get(pk=access.cluster_id)
    found = Access.objects.select_for_update(of=("self",)).select_related("cluster", "cloud_credential")
    live = found.get(pk=access.pk)
    check_version(live, seen_version)
    _keep_namespaces_in_use(live, values.namespaces)
    _keep_overrides_in_use(live, values)
    renewed = (values.credential or {}) != (live.credential or {})
    before = wanted.public_of(live) | {"expires": live.expires_at}
    after = values.public() | {"expires": values.expires_at}
    if not renewed and after == before:
        return False
    moved = live.method != values.method
    values.put(live)
    if moved:
        situations.enforce(live)
    if result is not None:
        for name, value in outcomes.columns(result.as_json(), timezone.now()).items():
            setattr(live, name, value)
    if renewed:
        live.credential_set_at, live.credential_set_by = timezone.now(), str(by)
    live.version += 1
    live.save()
    clusters.changed(live.cluster)
    told = audit.changes(before, after, {name: name for name in before | after})
    told |= outcomes.left_out(result.as_json()) if result else {}
    _record(live, "access.changed", by, told | {"credential": "changed" if renewed else "kept"})
    _announce(live)
    return True


def check_version(access: Access, seen: int) -> None:
    """Refuse a form that was made from an older version.

    :raises Changed: the access is not what the person saw
    """
    if access.version != seen:
        now = ", ".join([*map(str, access.configuration.values()), f"open to {', '.join(access.namespaces)}"])
        raise Changed(
            f"Somebody changed this access while you were here. It is now: {now}. "
            "Send the form once more to replace that by what is below."
        )


def _keep_namespaces_in_use(access: Access, namespaces: list[str]) -> None:
    shut = access.external_secrets.exclude(namespace__in=namespaces)
    used = sorted(set(shut.values_list("namespace", flat=True)))
    if used:
        raise InUse(f"Services of {', '.join(used)} have linked secrets from here. Unlink them first.")


def _keep_overrides_in_use(access: Access, values: wanted.Values) -> None:
    """Refuse a method by which linked secrets could not be read from elsewhere any more, as they are now."""
    after = values.put(copy.copy(access))
    for one in variants.used(access):
        why = variants.why_not(after, variants.of(one))
        if why:
            raise InUse(f"Linked secrets are read with {one}. {why} Edit or unlink them first.")


@transaction.atomic
def delete(*, access: Access, by: User) -> None:
    """Remove an access that nothing uses; the next deploy removes its store.

    :raises InUse: linked secrets use it
    """
    # The cluster first, as everywhere, so that no two changes wait for each other.
    clusters.changed(access.cluster)
    try:
        with transaction.atomic():
            _record(access, "access.deleted", by, {})
            access.delete()
            # A link that was made this very moment is refused here and not at the commit.
            connection.check_constraints()
    except ProtectedError as error:
        linked = len(error.protected_objects)
        words = f"{linked} linked secret uses" if linked == 1 else f"{linked} linked secrets use"
        raise InUse(f"{words} {access.name}; move or unlink them first.") from error
    except IntegrityError as error:
        raise InUse(f"A linked secret uses {access.name}; move or unlink them first.") from error


def follow(credential: CloudCredential) -> None:
    """Note that the clusters whose accesses use a cloud credential do not have its new values yet."""
    for cluster in Cluster.objects.filter(accesses__cloud_credential=credential).distinct():
        clusters.changed(cluster)
