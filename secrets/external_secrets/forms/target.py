"""The part of a link's form that says where the value goes, as what it arrives, and how fresh it is."""

from typing import Any, cast

from django import forms

from accesses.forms import ChoiceField
from accesses.models import Access
from clusters.models import Service
from external_secrets import clashes, costs, naming, paths
from external_secrets.forms.places import PlaceForm
from external_secrets.models import ExternalSecret, variable_rule

_INTERVALS = (
    (300, "5 minutes"),
    (900, "15 minutes"),
    (3600, "1 hour"),
    (21600, "6 hours"),
    (86400, "24 hours"),
)
DEFAULT_REFRESH = 3600
Target, Mount, WhenGone = ExternalSecret.Target, ExternalSecret.Mount, ExternalSecret.WhenGone
_MODES = (
    (0o444, "0444: everybody in the container may read"),
    (0o440, "0440: owner and group may read"),
    (0o400, "0400: only the owner may read"),
)


def _priced(seconds: int, words: str) -> tuple[int, str]:
    calls = costs.MONTH_SECONDS // seconds
    return seconds, f"{words} ({calls:,} call{'' if calls == 1 else 's'} a month)"


REFRESH = tuple(_priced(seconds, words) for seconds, words in _INTERVALS)


class TargetForm(PlaceForm):
    """A place and a target. Clean: `target_place` and `target_values`; `takes`, `key` and `json_field` are asked for.

    What does not fit the chosen target is left out of the values, whatever was in its field.
    """

    target = ChoiceField(label="As what it arrives", required=False, choices=Target.choices)
    variable = forms.CharField(
        label="Variable",
        max_length=200,
        required=False,
        help_text="The name under which the service sees it.",
    )
    path = forms.CharField(
        label="Path",
        max_length=1024,
        required=False,
        help_text="Where the file is in the container; of several the directory. Empty is below /vault, by the name.",
    )
    mount = ChoiceField(label="What is mounted", required=False, choices=Mount.choices)
    file_mode = forms.TypedChoiceField(
        label="Who may read the file", required=False, choices=_MODES, coerce=int
    )
    refresh_seconds = forms.TypedChoiceField(
        label="Read again every",
        choices=REFRESH,
        coerce=int,
        required=False,
        help_text="How soon a changed value reaches the cluster.",
    )
    restart_on_change = forms.BooleanField(
        label="Restart the service when the value changes",
        required=False,
        help_text="A variable has its new value only after a restart. Files of a mounted directory follow by themselves.",
    )
    when_gone = ChoiceField(
        label="When the secret is gone upstream", required=False, choices=WhenGone.choices
    )

    def prepare(self, access: Access, around: list[Service]) -> None:
        super().prepare(access, around)
        consequences: dict[str, dict[Any, str]] = {
            "target": {
                Target.VARIABLE: "The process reads it from its environment.",
                Target.FILE: "The process reads a file; the environment does not show it.",
                Target.BOTH: "The variable holds the path of the file.",
            },
            "mount": {
                Mount.DIRECTORY: "Follows a new value without a restart. Hides what the image has in that directory.",
                Mount.FILE: "Hides nothing beside it. Follows a new value only with a restart.",
            },
            "when_gone": {
                WhenGone.RETAIN: "Services go on with the value they have, also after a restart.",
                WhenGone.DELETE: "A pod that runs keeps it; one that starts afterwards waits until the secret is back.",
                WhenGone.MERGE: "Of several, those that are left stay; what is gone is missing in the next pod.",
            },
        }
        for name, lines in consequences.items():
            field = cast(ChoiceField, self.fields[name])
            field.consequences = {str(value): line for value, line in lines.items()}
            field.widget.is_required = True
        for name in (
            "refresh_seconds",
            "file_mode",
            "variable",
            "path",
            "scope",
            "target",
            "mount",
            "when_gone",
        ):
            self.fields[name].one_of = True  # type: ignore[attr-defined]
        self._keep_unusual()

    def _keep_unusual(self) -> None:
        """Offer the interval and the mode that a link has, also when they are none of ours."""
        for name, words in (("refresh_seconds", "{} seconds"), ("file_mode", "{:04o}")):
            field = cast(forms.TypedChoiceField, self.fields[name])
            value = self.initial.get(name)
            if value is not None and value not in dict(cast(Any, field.choices)):
                field.choices = [*cast(Any, field.choices), (value, words.format(value))]

    # What of the reference the target depends on; the form that has the reference says it.
    taken: str = ExternalSecret.Takes.VALUE
    suggested: tuple[str, str] = ("", "")

    @property
    def several(self) -> bool:
        return self.taken != ExternalSecret.Takes.VALUE

    def clean_target(self) -> str:
        return self.cleaned_data["target"] or Target.VARIABLE

    def clean_mount(self) -> str:
        return self.cleaned_data["mount"] or Mount.DIRECTORY

    def clean_when_gone(self) -> str:
        return self.cleaned_data["when_gone"] or WhenGone.RETAIN

    def clean(self) -> dict[str, Any]:
        # The reference first, where the form has one: the target depends on what is taken.
        super().clean()
        self.clean_reference()
        values = self.cleaned_data
        if "target" in values:
            self._clean_variable(values)
            self._clean_path(values)
        self._refuse_clashes()
        return values

    def clean_reference(self) -> None:
        """Note what the target depends on, once the reference is clean."""

    def _clean_variable(self, values: dict[str, Any]) -> None:
        if values["target"] == Target.FILE:
            values["variable"] = ""
            self.errors.pop("variable", None)
            return
        variable = values.get("variable")
        if variable is None or (not variable and self.several and values["target"] == Target.VARIABLE):
            return
        if not variable:
            self.add_error("variable", "Enter the variable's name.")
            return
        try:
            variable_rule(variable)
        except forms.ValidationError as error:
            self.add_error("variable", f"{variable} is not a legal name. {error.message}")

    def _clean_path(self, values: dict[str, Any]) -> None:
        if values["target"] == Target.VARIABLE:
            values["path"] = ""
            self.errors.pop("path", None)
            return
        if values.get("path") is None:
            return
        whole = values.get("mount") != Mount.FILE
        one = naming.derive_path(*self.suggested)
        typed = values["path"] or one
        # What the form suggests for one file nobody chose for several.
        if self.several and typed == one:
            typed = naming.derive_directory(self.suggested[0])
        try:
            values["path"] = paths.clean(typed, several=self.several, whole=whole)
        except forms.ValidationError as error:
            self.add_error("path", error)

    def _refuse_clashes(self) -> None:
        """Say at its field what is in the way. The service that writes the link looks again."""
        place = self.target_place
        if place is None or {"variable", "path"} & set(self.errors) or "target" not in self.cleaned_data:
            return
        self.around = clashes.Around(place, without=self.without)
        for found in self.around.find(self.target_values | {"takes": self.taken}):
            self.add_error(found.field, found.text)

    # The link that is edited is not in its own way.
    without: tuple[Any, ...] = ()
    around: clashes.Around | None = None

    @property
    def usual_refresh(self) -> int:
        """How often a value is read anew where nothing is said: as its access says, else the console's own."""
        access: Access | None = getattr(self, "access", None)
        return (access.refresh_seconds if access else 0) or DEFAULT_REFRESH

    @property
    def target_values(self) -> dict[str, Any]:
        """The clean columns of a link that say as what it arrives and how fresh it is."""
        names = ("target", "variable", "path", "mount", "restart_on_change", "when_gone")
        values = {name: self.cleaned_data.get(name, "") for name in names}
        values["mount"] = values["mount"] or Mount.DIRECTORY
        if self.several:
            # The files of several are a directory of their own.
            values["mount"] = Mount.DIRECTORY
        return values | {
            "restart_on_change": bool(values["restart_on_change"]),
            "file_mode": self.cleaned_data.get("file_mode") or 0o444,
            "refresh_seconds": self.cleaned_data.get("refresh_seconds") or self.usual_refresh,
        }

    @property
    def more_open(self) -> bool:
        """Whether something of what is folded is wrong, or not as usual."""
        names = ("mount", "file_mode", "refresh_seconds", "restart_on_change", "when_gone")
        return any(name in self.errors for name in names)
