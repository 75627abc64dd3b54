"""The forms of one link: what is read and where it goes; and another name for what is read already."""

from typing import Any

from django import forms

from accesses.models import Access
from clusters.models import Service
from external_secrets.forms.target import TargetForm
from external_secrets.models import ExternalSecret


class ReferenceForm(forms.Form):
    """What is read. Clean: `reference_values` and `overrides`."""

    key = forms.CharField(
        label="Secret",
        max_length=2048,
        help_text="A name or an ARN.",
        error_messages={"required": "Enter the name or the ARN of a secret."},
    )
    json_field = forms.CharField(
        label="JSON field",
        required=False,
        max_length=300,
        help_text="Take one field of a JSON value, such as password or db.password; empty takes the whole value.",
    )
    version = forms.CharField(
        label="Version",
        required=False,
        max_length=100,
        help_text="A staging label such as AWSPREVIOUS, or uuid/ and a version's id; empty follows the current one.",
    )

    def clean_version(self) -> str:
        version: str = self.cleaned_data["version"]
        if version.startswith("uuid/") and not 32 <= len(version.removeprefix("uuid/")) <= 64:
            raise forms.ValidationError("After uuid/ comes a version's id, which has 32 to 64 characters.")
        return version

    @property
    def reference_values(self) -> dict[str, Any]:
        """The clean columns of a link that say what it takes."""
        return {name: self.cleaned_data.get(name, "") for name in ("key", "json_field", "version")}

    @property
    def overrides(self) -> dict[str, str]:
        """In which region, role and audience it differs from its access."""
        return {}


class LinkForm(TargetForm, ReferenceForm):
    """One reference to one place. Clean: `target_place`, `link_values`, `overrides`."""

    def __init__(
        self,
        access: Access,
        around: list[Service],
        *args: Any,
        editing: ExternalSecret | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.prepare(access, around)
        self.editing = editing
        self.without = (editing.pk,) if editing else ()
        for name in ("key", "variable", "path", "json_field", "version"):
            self.fields[name].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}

    def clean(self) -> dict[str, Any]:
        # What the target depends on is known once the reference is clean.
        values = self.reference_values
        self.takes = values.get("takes", ExternalSecret.Takes.VALUE)
        self.suggested = (values.get("key", ""), values.get("json_field", ""))
        return super().clean()

    @property
    def link_values(self) -> dict[str, Any]:
        """The clean columns that a link is made of."""
        return self.target_values | self.reference_values


class AliasForm(TargetForm):
    """Another name for the one value of a link, in the same namespace."""

    def __init__(
        self, original: ExternalSecret, around: list[Service], *args: Any, editing: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.original, self.editing = original, editing
        self.prepare(original.access, [one for one in around if one.namespace == original.namespace])
        self.without = (editing.pk,) if editing else ()
        self.suggested = (original.key, original.json_field)

    def clean_namespace(self) -> str:
        value = super().clean_namespace()
        if self.cleaned_data.get("scope") == "namespace" and value != self.original.namespace:
            raise forms.ValidationError(
                f"An alias stays in {self.original.namespace}, where the Secret of {self.original.title} is."
            )
        return value

    @property
    def link_values(self) -> dict[str, Any]:
        """The clean columns that the alias has of its own; it is read when its original is."""
        return self.target_values | {"refresh_seconds": self.original.refresh_seconds}

    overrides: dict[str, str] = {}
