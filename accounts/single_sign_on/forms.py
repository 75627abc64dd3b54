"""The forms of single sign-on: which organization, its provider, its rules."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.organizations.models import Organization
from accounts.roles import Role
from accounts.single_sign_on import oidc
from accounts.single_sign_on.models import Domain, IdentityProvider, domain_rule
from accounts.single_sign_on.reasons import Reason, Refused
from config import egress

MOST_DOMAINS = 50
_QUIET = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
_ROLES = {
    "": ("Nobody new: invited people only", "Who has neither a membership nor an invitation is refused."),
    Role.VIEWER: ("Viewer", "Sees clusters, accesses, links and deploys; changes nothing."),
    Role.AUDITOR: ("Auditor", "Sees the same, and the audit log."),
    Role.DEVOPS: ("DevOps", "May also connect clusters, link secrets and deploy."),
}
_DISCOVERY = {
    Reason.UNREACHABLE: "The issuer does not answer, or its certificate is not trusted here. Check the address, and "
    "that the console's network reaches it.",
    Reason.NOT_OPENID: "There is no usable OpenID Connect description below this address "
    "(…/.well-known/openid-configuration). Copy the issuer from the provider's own page.",
    Reason.ISSUER: "The provider calls itself another issuer than this address. Copy the issuer exactly, with tenant "
    "or realm.",
    Reason.FORBIDDEN: Reason.FORBIDDEN.sentence,
}


class WhereForm(forms.Form):
    """Which organization somebody belongs to: by the e-mail address, or by its short name."""

    where = forms.CharField(
        label="E-mail address or organization",
        max_length=254,
        help_text="For example jo@acme.example, or acme.",
        error_messages={"required": "Enter your e-mail address, or the organization."},
        widget=forms.TextInput(
            attrs={
                "autocomplete": "username",
                "spellcheck": "false",
                "autocapitalize": "none",
                "autofocus": True,
            }
        ),
    )

    def clean_where(self) -> str:
        """Find the provider; the answer depends on domains and organizations alone, never on a person."""
        where = self.cleaned_data["where"].lower()
        providers = IdentityProvider.objects.open()
        domain = where.rpartition("@")[2]
        found = (
            providers.filter(domains__name=domain)
            if "@" in where
            else providers.filter(organization__slug=where)
        )
        self.provider = found.first()
        if self.provider is None:
            raise ValidationError(
                "There is no single sign-on for that. Sign in with your password, or ask an owner of your organization."
            )
        return str(where)

    @property
    def hint(self) -> str:
        return self.cleaned_data["where"] if "@" in self.cleaned_data["where"] else ""


class ProviderForm(forms.Form):
    """An organization's identity provider; a blank secret keeps the stored one."""

    issuer = forms.CharField(
        label="Issuer",
        max_length=300,
        help_text="For example https://login.acme.example or https://keycloak.acme.example/realms/acme.",
        error_messages={"required": "Enter the issuer's address."},
        widget=forms.TextInput(attrs=_QUIET | {"inputmode": "url"}),
    )
    client_id = forms.CharField(
        label="Client ID",
        max_length=255,
        error_messages={"required": "Enter the client ID."},
        widget=forms.TextInput(attrs=_QUIET),
    )
    client_secret = forms.CharField(
        label="Client secret",
        max_length=1000,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    domains = forms.CharField(
        label="E-mail domains",
        max_length=10_000,
        help_text="One on each line, for example acme.example. People with these addresses are led to the provider, "
        "and it may speak for no others.",
        error_messages={"required": "Enter at least one domain."},
        widget=forms.Textarea(attrs=_QUIET | {"rows": 3}),
    )
    default_role = forms.ChoiceField(
        label="Who comes in for the first time",
        required=False,
        choices=[(value, words[0]) for value, words in _ROLES.items()],
        widget=forms.RadioSelect,
    )
    trusted_for_second_factor = forms.BooleanField(
        label="Count every sign-in by it as one with a second factor",
        required=False,
        help_text="Otherwise only those of which the provider says so (amr: mfa, otp or hwk).",
    )

    def __init__(
        self, data: Any = None, *, organization: Organization, provider: IdentityProvider | None
    ) -> None:
        self.organization, self.provider = organization, provider
        super().__init__(data, initial=_initial(provider))
        role: Any = self.fields["default_role"]
        role.one_of = True
        role.consequences = {value: words[1] for value, words in _ROLES.items()}
        secret: Any = self.fields["client_secret"]
        secret.one_of = True

    def clean_issuer(self) -> str:
        """Ask the issuer for its description, and return the issuer as it writes itself."""
        issuer = (
            str(self.cleaned_data["issuer"]).rstrip("/").removesuffix("/.well-known/openid-configuration")
        )
        if not oidc.allowed(issuer) or "?" in issuer or "#" in issuer:
            raise ValidationError("The issuer's address begins with https:// and has no “?” or “#”.")
        try:
            egress.check(issuer)
            return oidc.discover(issuer, fresh=True).issuer
        except egress.Forbidden as error:
            raise ValidationError(str(error)) from None
        except Refused as refused:
            raise ValidationError(_DISCOVERY[refused.reason]) from None

    def clean_domains(self) -> list[str]:
        names = {name.strip(".@").lower() for name in self.cleaned_data["domains"].replace(",", " ").split()}
        if not 0 < len(names) <= MOST_DOMAINS:
            raise ValidationError(f"Enter between one and {MOST_DOMAINS} domains.")
        for name in sorted(names):
            try:
                domain_rule(name)
            except ValidationError:
                raise ValidationError(f"{name[:80]} is not a domain such as acme.example.") from None
        taken = Domain.objects.filter(name__in=names).exclude(provider__organization=self.organization)
        if found := taken.first():
            raise ValidationError(f"{found.name} belongs to another organization on this console.")
        return sorted(names)

    def clean(self) -> dict[str, Any]:
        """Ask for the secret anew where it would go to another issuer than the one that it belongs to."""
        values = super().clean() or {}
        kept = self.provider and all(
            values.get(name) == getattr(self.provider, name) for name in ("issuer", "client_id")
        )
        if not self.errors and not values["client_secret"] and not kept:
            self.add_error(
                "client_secret",
                "Enter the client secret; the stored one belongs to the issuer and the client of before."
                if self.provider
                else "Enter the client secret.",
            )
        return values


def _initial(provider: IdentityProvider | None) -> dict[str, Any]:
    if provider is None:
        return {"default_role": Role.VIEWER}
    plain = ("issuer", "client_id", "default_role", "trusted_for_second_factor")
    return {name: getattr(provider, name) for name in plain} | {"domains": "\n".join(provider.domain_names)}


class RulesForm(forms.Form):
    """What is asked of every member. Who turns a rule on has met it: `sso_ready` and `factor_ready` say whether."""

    sso_required = forms.BooleanField(label="Members must sign in through single sign-on", required=False)
    second_factor_required = forms.BooleanField(label="Members must have a second factor", required=False)

    def __init__(self, data: Any = None, *, organization: Organization) -> None:
        self.organization = organization
        names = ("sso_required", "second_factor_required")
        super().__init__(data, initial={name: getattr(organization, name) for name in names})

    def refuse_unmet(self, *, sso: str, factor: str) -> None:
        """Refuse what is turned on and not met by the one who does; each argument says what is missing, if anything."""
        for name, missing in (("sso_required", sso), ("second_factor_required", factor)):
            if self.cleaned_data.get(name) and not getattr(self.organization, name) and missing:
                self.add_error(name, missing)


class UnlinkForm(forms.Form):
    """Which link to a person is removed."""

    identity = forms.UUIDField()
