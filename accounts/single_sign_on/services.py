"""Setting an organization's identity provider and its rules of signing in."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.audit import services as audit
from accounts.organizations.models import Organization, User
from accounts.single_sign_on.models import Domain, Identity, IdentityProvider

RULES = ("sso_required", "second_factor_required")
_PLAIN = ("issuer", "client_id", "default_role", "trusted_for_second_factor")


class DomainTaken(ValueError):
    """Another organization has one of the domains."""


class StillRequired(ValueError):
    """Members must sign in through the provider, so it can't be removed or become another."""


class Untested(ValueError):
    """Nobody has signed in by the provider as a test yet."""


@transaction.atomic
def set_provider(
    *, organization: Organization, values: dict[str, Any], by: User
) -> tuple[IdentityProvider, bool]:
    """Set the identity provider and return it, and whether it is another one now. A blank secret keeps the stored one.

    With another issuer or client, sessions that the old one made end, and who it meant is forgotten.

    :raises StillRequired: it would become another one while members must use it
    :raises DomainTaken: another organization has one of the domains
    """
    organization = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    provider = IdentityProvider.objects.filter(organization=organization).first()
    before = _plain(provider) if provider else {}
    provider = provider or IdentityProvider(organization=organization)
    becomes = any(before.get(name) != values[name] for name in ("issuer", "client_id"))
    if before and becomes:
        _may_become_another(organization)
        provider.generation += 1
        Identity.objects.filter(organization=organization).delete()
    for name in _PLAIN:
        setattr(provider, name, values[name])
    replaced = bool(values["client_secret"])
    if replaced or becomes:
        provider.client_secret = values["client_secret"]
        provider.set_at, provider.set_by = timezone.now(), str(by)[:160]
        provider.tested_at, provider.tested_by = None, ""
    provider.checked_at = timezone.now()
    provider.save()
    _set_domains(provider, values["domains"])
    changes = _changes(before, _plain(provider))
    audit.record(
        organization=organization,
        by=by,
        action="identity_provider.set",
        target=provider,
        details={"changes": changes, "secret_replaced": replaced},
    )
    return provider, becomes


def _may_become_another(organization: Organization) -> None:
    if organization.sso_required:
        raise StillRequired


def _plain(provider: IdentityProvider) -> dict[str, Any]:
    return {name: getattr(provider, name) for name in _PLAIN} | {"domains": provider.domain_names}


def _changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    return {
        name: [before.get(name), after.get(name)]
        for name in (before | after)
        if before.get(name) != after.get(name)
    }


def _set_domains(provider: IdentityProvider, names: list[str]) -> None:
    provider.domains.exclude(name__in=names).delete()
    missing = set(names) - set(provider.domain_names)
    try:
        with transaction.atomic():
            Domain.objects.bulk_create(Domain(provider=provider, name=name) for name in sorted(missing))
    except IntegrityError:
        raise DomainTaken from None


@transaction.atomic
def remove_provider(*, organization: Organization, by: User) -> None:
    """Remove the identity provider; sessions that it made end, and who it meant is forgotten.

    :raises StillRequired: members must use it
    """
    organization = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    provider = IdentityProvider.objects.filter(organization=organization).first()
    if provider is None:
        return
    _may_become_another(organization)
    changes = _changes(_plain(provider), {})
    audit.record(
        organization=organization,
        by=by,
        action="identity_provider.removed",
        target=provider,
        details={"changes": changes},
    )
    Identity.objects.filter(organization=organization).delete()
    provider.delete()


@transaction.atomic
def note_test(*, provider: IdentityProvider, by: User, problem: str = "") -> None:
    """Write down the outcome of a test sign-in; `problem` is one of the fixed reasons, or nothing."""
    if not problem:
        IdentityProvider.objects.filter(pk=provider.pk, generation=provider.generation).update(
            tested_at=timezone.now(), tested_by=str(by)[:160]
        )
    action = "identity_provider.test_failed" if problem else "identity_provider.tested"
    audit.record(
        organization=provider.organization,
        by=by,
        action=action,
        target=provider,
        details={"reason": problem} if problem else {},
    )


@transaction.atomic
def change_rules(*, organization: Organization, by: User, **rules: bool) -> Organization:
    """Set what an organization asks of its members' signing in; nothing is written where nothing changes.

    :raises Untested: single sign-on would be required, and has not been seen to work
    """
    organization = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    before = {name: getattr(organization, name) for name in RULES}
    changes = _changes(before, {name: rules[name] for name in RULES})
    if not changes:
        return organization
    if rules["sso_required"] and not (
        organization.sso_required
        or IdentityProvider.objects.filter(organization=organization, tested_at__isnull=False).exists()
    ):
        raise Untested
    for name in changes:
        setattr(organization, name, rules[name])
    organization.save(update_fields=list(changes))
    audit.record(
        organization=organization,
        by=by,
        action="sign_in_rules.changed",
        target=organization,
        details={"changes": changes},
    )
    return organization


@transaction.atomic
def forget(*, identity: Identity, by: User) -> None:
    """Forget whom the issuer means by a subject; the next sign-in with that e-mail address links anew."""
    audit.record(
        organization=identity.organization,
        by=by,
        action="identity_provider.unlinked",
        target=identity.user,
        details={"email": identity.user.email, "issuer": identity.issuer},
    )
    identity.delete()
