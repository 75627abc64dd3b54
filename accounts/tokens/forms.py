"""What is asked of somebody who makes an API token; the same for the API."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from accounts.authority import Authority
from accounts.custom_roles.fields import Chosen, RolesField
from accounts.organizations.models import Organization
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
    """A new token; the least role is chosen beforehand."""

    field_order = ("name", "roles", "expires")

    roles = RolesField(
        initial=[Role.VIEWER.value], help_text="What it may do. A personal token never may more than you."
    )

    def __init__(
        self,
        *args: Any,
        organization: Organization,
        authority: Authority,
        endless: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, endless=endless, **kwargs)
        self.fields["roles"].offer(organization, authority)  # type: ignore[attr-defined]

    @property
    def wish(self) -> Wish:
        """What the valid form asks for."""
        chosen: Chosen = self.cleaned_data["roles"]
        return Wish(
            name=self.cleaned_data["name"],
            roles=chosen.roles,
            custom_roles=chosen.custom_roles,
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
