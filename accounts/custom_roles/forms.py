"""The editor of a custom role, and its end."""

import re
from typing import Any

from django import forms

from accounts.custom_roles import rules
from accounts.custom_roles.rules import Wanted
from accounts.naming import TypedNameForm
from accounts.organizations.models import CustomRole
from accounts.roles import GROUPS, OF_A_CLUSTER, OF_A_NAMESPACE, Permission

_QUIET = {"spellcheck": "false", "autocomplete": "off", "autocapitalize": "none", "rows": 2}


class Names(forms.CharField):
    """Names apart by commas, spaces or lines; clean, it is a tuple of them, each once."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.Textarea(attrs=_QUIET))
        super().__init__(required=False, max_length=5000, **kwargs)

    def clean(self, value: Any) -> Any:
        text: str = super().clean(value)
        return tuple(dict.fromkeys(word for word in re.split(r"[\s,]+", text) if word))

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value


class RoleForm(forms.Form):
    """A custom role. Clean, it has `wanted`, which may be stored."""

    name = forms.CharField(
        max_length=40,
        error_messages={"required": "Give the role a name."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="How people call it, for example Shop developer.",
    )
    description = forms.CharField(
        max_length=200, required=False, help_text="For whom it is; shown where roles are chosen."
    )
    permissions = forms.MultipleChoiceField(
        choices=[(one.value, one.sentence) for one in Permission if one in rules.CHOSEN],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    clusters = Names(
        label="Clusters",
        help_text="Names, one a line; * stands for anything: staging-*. Empty: all clusters.",
    )
    namespaces = Names(
        label="Namespaces", help_text="Names, one a line; * stands for anything: shop-*. Empty: all."
    )
    prefixes = Names(
        label="Beginnings of secrets' names", help_text="One a line: prod/shop/. Empty: all names."
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        wanted = Wanted(
            name=" ".join(cleaned.get("name", "").split()),
            description=" ".join(cleaned.get("description", "").split()),
            permissions=rules.complete(cleaned.get("permissions", ())),
            clusters=cleaned.get("clusters", ()),
            namespaces=cleaned.get("namespaces", ()),
            prefixes=cleaned.get("prefixes", ()),
        )
        for name, words in rules.problems(wanted).items():
            if name not in self.errors:
                self.add_error(name, words)
        cleaned["wanted"] = wanted
        return cleaned

    def previewed(self) -> Wanted | None:
        """Return the role of which can be shown what it sees, also while its name is missing, or None."""
        if not self.is_bound or {"clusters", "namespaces", "prefixes"} & set(self.errors):
            return None
        wanted: Wanted | None = self.cleaned_data.get("wanted")
        return wanted

    def groups(self, held: frozenset[Permission]) -> list[dict[str, Any]]:
        """Return the permissions to choose from, in groups; one that is not `held` cannot be chosen."""
        chosen = set(self["permissions"].value() or ())
        return [
            {"title": title, "options": [_option(one, one.value in chosen, one in held) for one in offered]}
            for title, permissions in GROUPS
            if (offered := [one for one in permissions if one in rules.CHOSEN])
        ]


def _option(permission: Permission, checked: bool, held: bool) -> dict[str, Any]:
    return {
        "id": f"p-{permission.value.replace(':', '-')}",
        "value": permission.value,
        "sentence": permission.sentence,
        "checked": checked,
        "held": held,
        "limits": limits(permission),
    }


def limits(permission: Permission) -> str:
    """Return by what a permission can be limited, in words."""
    if permission in OF_A_NAMESPACE:
        return "clusters, namespaces, names"
    return "clusters" if permission in OF_A_CLUSTER else ""


def initial(role: CustomRole, name: str = "") -> dict[str, Any]:
    """Return what the editor of a role, or of a copy with another name, begins with."""
    fields = ("name", "description", "permissions", "clusters", "namespaces", "prefixes")
    return {field: getattr(role, field) for field in fields} | ({"name": name} if name else {})


class DeleteRoleForm(TypedNameForm):
    """The name of a role, typed to delete it."""

    noun = "role"
