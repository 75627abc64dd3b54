"""Forms about many links at once: a list to link, and where links move to."""

from typing import Any

from django import forms

from accesses.models import Access
from clusters.models import Service
from external_secrets import batches, inside, listing
from external_secrets.forms.places import PlaceForm
from external_secrets.forms.target import DEFAULT_REFRESH, REFRESH
from external_secrets.limits import Limits


class BulkForm(PlaceForm):
    """A list of names for one place. Clean: `target_place`, `listed`, `usual`; `listed` is there for a wrong form too."""

    lines = forms.CharField(
        label="Secrets, one a line",
        max_length=500_000,
        strip=False,
        widget=forms.Textarea(
            attrs={"rows": 10, "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}
        ),
        help_text="As in an environment file: DB_PASSWORD=prod/db#password. Without a name before the = it is made of "
        "the secret's. Comments, quotes and export are understood; at most 1,000 lines.",
        error_messages={"required": "Enter or paste at least one line."},
    )
    refresh_seconds = forms.TypedChoiceField(
        label="Read each again every",
        choices=REFRESH,
        coerce=int,
        required=False,
        help_text="How soon a changed value reaches the cluster. The calls are for each of them.",
    )

    def __init__(
        self,
        access: Access,
        around: list[Service],
        *args: Any,
        limits: Limits | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.limits = limits
        self.prepare(access, around)
        for name in ("scope", "refresh_seconds"):
            self.fields[name].one_of = True  # type: ignore[attr-defined]
        self.listed = listing.Listed()

    def clean(self) -> dict[str, Any]:
        super().clean()
        text = self.cleaned_data.get("lines", "")
        self.listed = listing.read(self.access, text)
        self._refuse_out_of_reach()
        listing.judge(self.access, self.target_place, self.listed, self.usual)
        if text and not self.listed.lines:
            self.add_error("lines", "There is nothing but comments; enter at least one name.")
        if self.listed.too_many:
            self.add_error(
                "lines",
                f"These are {batches.LONGEST + self.listed.too_many} lines; link at most {batches.LONGEST} at once.",
            )
        for line in self.listed.wrong[:20]:
            self.add_error("lines", f"Line {line.number}: {line.error}")
        if len(self.listed.wrong) > 20:
            self.add_error(
                "lines", f"{len(self.listed.wrong) - 20} more lines are wrong; the table shows them."
            )
        return self.cleaned_data

    def _refuse_out_of_reach(self) -> None:
        """Say it before anything is looked up: whether such a name is there is nothing to be told."""
        for line in self.listed.lines:
            place = self.target_place
            there = [place.namespace] if place else self.access.namespaces
            if (self.limits and not line.error and (wrong := self.limits.wrong(there, line.values))) or (
                not line.error and (wrong := inside.wrong(self.access, line.values))
            ):
                line.error = wrong[1]

    @property
    def usual(self) -> dict[str, Any]:
        """The columns that all links of the list have alike."""
        own = self.access.refresh_seconds or DEFAULT_REFRESH
        return {"refresh_seconds": self.cleaned_data.get("refresh_seconds") or own}

    @property
    def line_values(self) -> list[dict[str, Any]]:
        """The columns of each link, in order."""
        return [self.usual | line.values for line in self.listed.lines]


class RelocateForm(PlaceForm):
    """Where links move to. Clean: `target_place`."""

    def __init__(
        self,
        access: Access,
        around: list[Service],
        *args: Any,
        limits: Limits | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.limits = limits
        self.prepare(access, around)
        self.fields["scope"].one_of = True  # type: ignore[attr-defined]
