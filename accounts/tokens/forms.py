"""What is asked of somebody who makes an API token; the same for the API."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from accounts import delegation
from accounts.authority import Authority, Grant, built_in
from accounts.organizations.models import CustomRole, Organization
from accounts.roles import Role
from accounts.tokens.services import Wish

DAYS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "1 year"}
NEVER = "never"
DEFAULT = "90"


def _end(days: str) -> datetime | None:
    return None if days == NEVER else timezone.now() + timedelta(days=int(days))


class NameForm(forms.Form):
    """A token's name."""

    name = forms.CharField(
        max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"}), help_text="What it is for."
    )


class EndForm(forms.Form):
    """How long a token is good; only an organization's may be without an end."""

    expires = forms.ChoiceField(
        label="Expires after",
        choices=list(DAYS.items()),
        initial=DEFAULT,
        error_messages={
            "invalid_choice": "Choose one of the times offered. Only a token of the organization is without an end."
        },
    )

    def __init__(self, *args: Any, endless: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if endless:
            self.fields["expires"].choices = [*DAYS.items(), (NEVER, "Never")]  # type: ignore[attr-defined]

    @property
    def end(self) -> datetime | None:
        return _end(self.cleaned_data["expires"])


class TokenForm(EndForm, NameForm):
    """A new token. Only roles are offered that its maker holds; the least is chosen beforehand."""

    field_order = ("name", "roles", "expires")

    def __init__(
        self,
        *args: Any,
        organization: Organization,
        authority: Authority,
        endless: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, endless=endless, **kwargs)
        self.custom = {str(role.pk): role for role in CustomRole.objects.filter(organization=organization)}
        offered = [*((str(role.value), built_in(role)) for role in reversed(Role)), *self._custom_grants()]
        choices = [(key, grant.role) for key, grant in offered if not delegation.may_give(authority, [grant])]
        self.fields["roles"] = forms.MultipleChoiceField(
            label="Roles",
            choices=choices,
            initial=[choices[0][0]] if choices else [],
            widget=forms.CheckboxSelectMultiple,
            help_text="What it may do. A personal token never may more than you.",
            error_messages={"required": "Choose at least one role."},
        )

    def _custom_grants(self) -> list[tuple[str, Grant]]:
        return [(key, role.grant) for key, role in self.custom.items()]

    @property
    def wish(self) -> Wish:
        """What the valid form asks for."""
        chosen: list[str] = self.cleaned_data["roles"]
        return Wish(
            name=self.cleaned_data["name"],
            roles=tuple(key for key in chosen if key not in self.custom),
            custom_roles=tuple(self.custom[key] for key in chosen if key in self.custom),
            expires_at=self.end,
        )


class KindForm(forms.Form):
    """Whose the token is."""

    kind = forms.ChoiceField(
        label="Acts as",
        choices=[("personal", "You"), ("organization", "The organization")],
        initial="personal",
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].consequences = {  # type: ignore[attr-defined]
            "personal": "For your own scripts. It ends when you leave the organization.",
            "organization": "For machines. It stays when people go, and is seen by all who may manage tokens.",
        }
