"""The forms of one link: what is read and where it goes; and another name for what is read already."""

from typing import Any

from django import forms

from accesses.models import Access
from clusters.models import Service
from external_secrets.forms.reference import ReferenceForm
from external_secrets.forms.target import TargetForm
from external_secrets.limits import Limits
from external_secrets.models import ExternalSecret


class LinkForm(TargetForm, ReferenceForm):
    """One reference to one place. Clean: `target_place`, `link_values`, `overrides`."""

    def __init__(
        self,
        access: Access,
        around: list[Service],
        *args: Any,
        editing: ExternalSecret | None = None,
        limits: Limits | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(access, *args, **kwargs)
        self.limits = limits
        self.prepare(access, around)
        # Which of them is needed follows from what is taken.
        for name in ("takes", "key", "below", "tags"):
            self.fields[name].one_of = True  # type: ignore[attr-defined]
        self.editing = editing
        self.without = (editing.pk,) if editing else ()

    def clean_reference(self) -> None:
        values = self.cleaned_data
        self.taken = values.get("takes", ExternalSecret.Takes.VALUE)
        name = values.get("below") if self.taken == ExternalSecret.Takes.PATH else values.get("key")
        self.suggested = (name or "", values.get("json_field") or "")

    @property
    def link_values(self) -> dict[str, Any]:
        """The clean columns that a link is made of."""
        return self.target_values | self.reference_values


class AliasForm(TargetForm):
    """Another name for the one value of a link, in the same namespace."""

    def __init__(
        self,
        original: ExternalSecret,
        around: list[Service],
        *args: Any,
        editing: Any = None,
        limits: Limits | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.limits = limits
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
