"""Choosing roles in a form: the built-in ones and the organization's own, each with what follows from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms

from accounts import delegation
from accounts.authority import Authority, Grant, built_in
from accounts.organizations.models import CustomRole, Organization
from accounts.roles import CONSEQUENCES, Role

TOO_MUCH = "More than your own roles allow, so you cannot give it"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Roles that were chosen, of both kinds."""

    roles: tuple[str, ...]
    custom_roles: tuple[CustomRole, ...]


class Cards(forms.CheckboxSelectMultiple):
    """Checkboxes drawn as cards with a line of consequence; those in `refused` cannot be chosen."""

    cards = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refused: frozenset[str] = frozenset()

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        if str(value) in self.refused:
            option["attrs"]["disabled"] = True
        return option


class RolesField(forms.MultipleChoiceField):
    """Several roles; clean, it is a `Chosen`. `offer` says which there are and who chooses."""

    widget = Cards
    consequences: dict[str, str]

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", "Roles")
        kwargs.setdefault("error_messages", {"required": "Choose at least one role."})
        super().__init__(**kwargs)
        self._custom: dict[str, CustomRole] = {}

    def offer(self, organization: Organization, authority: Authority) -> None:
        """Offer the built-in roles and an organization's own; those that `authority` may not give are shown, with
        the reason."""
        custom = list(CustomRole.objects.owned_by(organization))
        self._custom = {str(role.pk): role for role in custom}
        offered: list[tuple[str, Grant, str]] = [
            (role.value, built_in(role.value), CONSEQUENCES[role]) for role in Role
        ]
        offered += [(str(role.pk), role.grant, summary(role)) for role in custom]
        refused = {value for value, grant, _ in offered if delegation.may_give(authority, [grant])}
        self.choices = [(value, grant.role) for value, grant, _ in offered]
        self.consequences = {
            value: TOO_MUCH if value in refused else consequence for value, _, consequence in offered
        }
        assert isinstance(self.widget, Cards)  # noqa: S101 for the type checker
        self.widget.refused = frozenset(refused)

    def clean(self, value: Any) -> Any:
        chosen = super().clean(value)
        return Chosen(
            tuple(one for one in chosen if one in Role.values),
            tuple(self._custom[one] for one in chosen if one in self._custom),
        )


def values(roles: Iterable[str], custom_roles: Iterable[CustomRole]) -> list[str]:
    """Return what a field's initial value is for some roles."""
    return [*roles, *(str(role.pk) for role in custom_roles)]


def summary(role: CustomRole) -> str:
    """Return a custom role in a line: its description, or how much it allows, and where."""
    count = len(role.permissions)
    words = role.description or f"{count} permission{'s' if count != 1 else ''}"
    return words if role.grant.scope.unlimited else f"{words} · {role.grant.scope}"
