"""The forms of deploys: asking for one, filtering their list."""

import datetime
from typing import Any

from django import forms
from django.utils import timezone

from accounts.models import User
from clusters import deploys
from clusters.models import Cluster, Deploy


def _plain(text: str) -> str:
    """Return text that a database column takes."""
    return text.replace("\x00", "").encode(errors="replace").decode()


class DeployForm(forms.Form):
    """A deploy: why, whose fields to take, and perhaps a maintenance window."""

    WINDOWS = ((30, "30 minutes"), (60, "1 hour"), (120, "2 hours"), (240, "4 hours"), (480, "8 hours"))

    reason = forms.CharField(
        required=False, max_length=200, help_text="For the history: why, or a ticket.", label="Reason"
    )
    not_before = forms.DateTimeField(
        label="Begin at (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        error_messages={"invalid": "Give a date and a time, for example 2026-11-21T22:00."},
    )
    window = forms.TypedChoiceField(
        label="Within",
        required=False,
        choices=WINDOWS,
        coerce=int,
        empty_value="60",
        initial=60,
        help_text="The window. When no worker was free in it, the deploy does not begin.",
    )

    @property
    def later(self) -> bool:
        return "later" in self.data

    @property
    def overwrite(self) -> list[str]:
        """The objects that were ticked; a name of what is not there does nothing."""
        chosen = self.data.getlist("overwrite") if hasattr(self.data, "getlist") else []
        return sorted({_plain(words)[:2000] for words in chosen})[:500]

    def clean_not_before(self) -> datetime.datetime | None:
        at: datetime.datetime | None = self.cleaned_data["not_before"]
        if self.later and at is None:
            raise forms.ValidationError("Say when it should begin.")
        if at is not None and at > timezone.now() + datetime.timedelta(days=90):
            raise forms.ValidationError("That is more than 90 days away.")
        return at

    def ask(self, cluster: Cluster, by: User) -> Deploy:
        """Ask for the deploy.

        :raises deploys.CannotBe: now it makes no sense
        """
        values = self.cleaned_data
        if not self.later:
            return deploys.request(cluster=cluster, by=by, reason=values["reason"], overwrite=self.overwrite)
        window = datetime.timedelta(minutes=int(values["window"]))
        return deploys.schedule(
            cluster=cluster,
            by=by,
            not_before=values["not_before"],
            window=window,
            reason=values["reason"],
            overwrite=self.overwrite,
        )


class HistoryFilter(forms.Form):
    """What the list of deploys is filtered by; all of it is in the URL."""

    q = forms.CharField(required=False, max_length=200)
    status = forms.ChoiceField(required=False, choices=Deploy.Status.choices)
    cluster = forms.ModelChoiceField(Cluster.objects.none(), required=False, to_field_name="name")
    since = forms.DateField(required=False)

    def __init__(self, data: Any, clusters: Any) -> None:
        super().__init__(data)
        self.fields["cluster"].queryset = clusters  # type: ignore[attr-defined]

    @property
    def days(self) -> list[tuple[str, str]]:
        """Begin dates that people ask for, as (what the form sends, what a person reads)."""
        today = timezone.now().date()
        spans = ((1, "Since yesterday"), (7, "Last 7 days"), (30, "Last 30 days"), (90, "Last 90 days"))
        return [((today - datetime.timedelta(days=count)).isoformat(), words) for count, words in spans]
