"""The filter of the audit log as it stands in the address, and the forms of its saved views and its settings."""

import datetime
from typing import Any

from django import forms
from django.utils import timezone

from accounts.audit import actions, queries, retention

RANGES = {
    "1h": ("Last hour", datetime.timedelta(hours=1)),
    "today": ("Today", datetime.timedelta()),
    "7d": ("Last 7 days", datetime.timedelta(days=7)),
    "30d": ("Last 30 days", datetime.timedelta(days=30)),
}
ORIGINS = {"console": "Console", "api": "API", "worker": "Worker", "cli": "Command line"}
OUTCOMES = {"done": "Done", "refused": "Refused", "failed": "Failed"}
# What of an address is a filter, in the order of the chips; the rest says which page of it.
FILTERS = (
    "q", "who", "action", "outcome", "type", "object", "cluster", "origin", "address", "token", "request",
    "range", "start", "end",
)  # fmt: skip


class Moment(forms.DateTimeField):
    """A day or a minute in UTC."""

    default_error_messages = {"invalid": "Write a day as 2026-11-21, or a minute as 2026-11-21T09:30."}

    def __init__(self, **more: Any) -> None:
        super().__init__(
            required=False, input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"], **more
        )


class FilterForm(forms.Form):
    """Who, what, on what, from where and when; every field may be blank."""

    q = forms.CharField(required=False, max_length=queries.LONGEST_TEXT, label="Text")
    who = forms.CharField(required=False, max_length=40, label="Who")
    action = forms.CharField(required=False, max_length=60, label="Action")
    outcome = forms.ChoiceField(required=False, choices=OUTCOMES.items(), label="Outcome")
    type = forms.CharField(required=False, max_length=40, label="Kind of object")
    object = forms.CharField(required=False, max_length=40, label="Object")
    cluster = forms.CharField(required=False, max_length=40, label="Cluster")
    origin = forms.ChoiceField(required=False, choices=ORIGINS.items(), label="From")
    address = forms.CharField(required=False, max_length=45, label="Address")
    token = forms.CharField(required=False, max_length=100, label="API token")
    request = forms.CharField(required=False, max_length=40, label="Request")
    range = forms.ChoiceField(
        required=False, choices=[(word, label) for word, (label, _) in RANGES.items()], label="Time"
    )
    start = Moment(label="From")
    end = Moment(label="Until")
    before = forms.IntegerField(required=False, min_value=1, max_value=2**62)
    after = forms.IntegerField(required=False, min_value=0, max_value=2**62)
    # The newest event that a page which follows the log has.
    tail = forms.IntegerField(required=False, min_value=0, max_value=2**62)

    def clean_action(self) -> str:
        """Take a code of the table, an older release's, or a group: `deploy.*`."""
        action: str = self.cleaned_data["action"]
        known = action in actions.ACTIONS or action.removesuffix(".*") in {one.word for one in actions.GROUPS}
        if action and not known and not action.replace(".", "").replace("_", "").isascii():
            raise forms.ValidationError("There is no such action.")
        return action

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        start, end = found.get("start"), found.get("end")
        if start and end and end < start:
            self.add_error("end", "The end is before the start.")
        return found

    def filters(self) -> queries.Filters:
        """Return what is asked for; an end that is a day is that whole day."""
        given = self.cleaned_data
        return queries.Filters(
            actor_id=given["who"],
            actions=_codes(given["action"]),
            target_type=given["type"],
            target_id=given["object"],
            cluster=given["cluster"],
            origin=given["origin"],
            address=given["address"],
            token=given["token"],
            outcome=given["outcome"],
            request_id=given["request"],
            since=max(filter(None, (given["start"], self._since())), default=None),
            until=self._until(),
            text=given["q"],
        )

    def _since(self) -> datetime.datetime | None:
        word, now = self.cleaned_data["range"], timezone.now()
        if word == "today":
            return now.replace(hour=0, minute=0, second=0, microsecond=0)
        return now - RANGES[word][1] if word else None

    def _until(self) -> datetime.datetime | None:
        end: datetime.datetime | None = self.cleaned_data["end"]
        whole_day = end is not None and len(self.data.get("end", "").strip()) <= len("2026-11-21")
        step = datetime.timedelta(days=1) if whole_day else datetime.timedelta(minutes=1)
        return end + step if end else None


def _codes(action: str) -> tuple[str, ...]:
    """Return the codes that a choice stands for: a group's, or the one."""
    for group in actions.GROUPS:
        if action == f"{group.word}.*":
            return (action, *(one.code for one in group.actions if not one.code.startswith(f"{group.word}.")))
    return (action,) if action else ()


class ViewForm(forms.Form):
    """The name of a saved view, and for whom it is."""

    name = forms.CharField(max_length=60, label="Name")
    shared = forms.TypedChoiceField(
        choices=[("", "Only me"), ("yes", "Everybody who may review the audit log")],
        coerce=bool,
        required=False,
        widget=forms.RadioSelect,
        label="For whom",
    )
    shared.one_of = True  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise forms.ValidationError("The name has characters that cannot be seen. Type it anew.")
        return name


class RetentionForm(forms.Form):
    """For how many days events are kept; `cleaned_data["kept"]` is None for ever."""

    keep = forms.ChoiceField(
        choices=[("", "For ever"), ("days", "For a number of days")],
        required=False,
        widget=forms.RadioSelect,
        label="Events are kept",
    )
    # The label says nothing of being optional: it is a choice, and the days belong to one of it.
    keep.one_of = True  # type: ignore[attr-defined]
    days = forms.IntegerField(
        min_value=retention.LEAST_DAYS,
        max_value=retention.MOST_DAYS,
        required=False,
        label="Days",
        help_text=f"At least {retention.LEAST_DAYS}. Older events are removed within an hour, and do not come back.",
    )

    days.one_of = True  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        if found.get("keep") and not found.get("days") and "days" not in self.errors:
            self.add_error("days", "Write for how many days events are kept.")
        return found | {"kept": found.get("days") if found.get("keep") else None}
