"""The part of a link's form that says what is taken: which secret, which field and version of it, read from where."""

from typing import Any

from django import forms
from django.http import QueryDict

from accesses import variants
from accesses.models import Access
from accesses.providers.references import OVERRIDES, Note, NotReadable, Reference, check_field
from accounts import tags as tag_lines
from credentials.clouds.aws import regions as aws_regions
from credentials.clouds.google import regions as google_regions
from credentials.fields import SuggestingInput
from external_secrets import inside, references
from external_secrets.forms import taking
from external_secrets.limits import Limits
from external_secrets.models import ExternalSecret

Takes = ExternalSecret.Takes

_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
VERSIONS = ("version_id", "version_stage", "version")
# What is about one value, and what each way of taking several has of its own.
_OF = {
    Takes.VALUE: ("key", "json_field", *VERSIONS),
    Takes.KEYS: ("key", *VERSIONS),
    Takes.PATH: ("below",),
    Takes.TAGS: ("tags",),
}
_ASIDE = {
    "json_field": "A JSON field is taken of one value.",
    "version_id": "A version is one secret's; of several each is read in its current one.",
    "version_stage": "A version is one secret's; of several each is read in its current one.",
    "version": "A version is one secret's; of several each is read in its current one.",
}


class ReferenceForm(forms.Form):
    """What a link takes through one access; it has only the fields that the access's provider knows.

    After `is_valid()`: `reference_values` are columns of the link, `overrides` what is read otherwise than by the access
    (for `accesses.variants.use`), `notes` what the secret's owner has to do. `preview_context()` works for an invalid
    form too.
    """

    takes = taking.TakesField()
    key = forms.CharField(label="Secret", max_length=2600, required=False)
    below = forms.CharField(max_length=1011, required=False)
    tags = tag_lines.TagsField(label="Tags", max_length=4000)
    json_field = forms.CharField(
        label="JSON field",
        required=False,
        max_length=references.LONGEST_FIELD,
        help_text="One field of a JSON value; empty takes the whole value. A field of the top level by its name: "
        "password. Deeper ones with dots, items of a list by number from 0: db.hosts.0. Strings, numbers and booleans "
        "arrive as text, objects and lists as JSON.",
    )
    version_id = forms.CharField(required=False, max_length=64)
    version_stage = forms.CharField(required=False, max_length=100)
    version = forms.CharField(required=False, max_length=100)
    region = forms.CharField(label="Region", required=False, max_length=64)
    role_arn = forms.CharField(label="Role ARN", required=False, max_length=2048)
    audience = forms.CharField(label="Token audience", required=False, max_length=500)

    # Those of the one who fills it in, where there are any.
    limits: Limits | None = None
    # The link that is changed, where there is one.
    editing: ExternalSecret | None = None

    def __init__(self, access: Access, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access = access
        self.rules = references.options(access)
        self.notes: list[Note] = []
        self._offered = False
        self._word()
        self._keep_known()

    @classmethod
    def initial_of(cls, access: Access, text: str = "") -> dict[str, Any]:
        """Return what the form begins with for a name that somebody chose or pasted."""
        try:
            found = references.parse(access, text)
        except NotReadable:
            return {"takes": Takes.VALUE, "key": text}
        names = ("key", "json_field", *VERSIONS)
        return {"takes": Takes.VALUE} | {name: getattr(found, name) for name in names}

    @classmethod
    def of_link(cls, link: ExternalSecret) -> dict[str, Any]:
        """Return what the form begins with for a link that is there."""
        several = link.takes in (Takes.PATH, Takes.TAGS)
        return {
            "takes": link.takes,
            "key": "" if several else link.key,
            "below": link.key if link.takes == Takes.PATH else "",
            "tags": "\n".join(f"{name}={value}" for name, value in sorted(link.tags.items())),
            "json_field": link.json_field,
            **references.options(link.access).fields_of(link.version),
            **variants.of(link.variant),
        }

    # -- what the provider knows ---------------------------------------------------------------------------------
    def _word(self) -> None:
        """Let the provider's words stand at the fields."""
        rules, fields = self.rules, self.fields
        fields["key"].help_text = rules.key_help
        fields["below"].label, fields["below"].help_text = rules.below.label, rules.below.help_text
        fields["tags"].help_text = rules.cannot.get(Takes.TAGS) or rules.tags_help
        told = rules.cannot.get("json_field") or rules.field_help
        fields["json_field"].help_text = told or fields["json_field"].help_text
        fields["json_field"].label = "Field" if rules.field_help else "JSON field"
        suggested = google_regions.served if self.access.provider.startswith("gcp") else _aws_regions
        fields["region"].widget = SuggestingInput(suggested)
        for name, version in rules.versions.items():
            fields[name].label, fields[name].help_text = version.label, version.help_text
        for name in ("key", "below", "json_field", *VERSIONS, "role_arn", "audience"):
            fields[name].widget.attrs |= _PLAIN

    def _keep_known(self) -> None:
        """Drop the versions of other providers; what the access cannot do stays in sight, with the reason."""
        for name in set(VERSIONS) - set(self.rules.versions):
            del self.fields[name]
        for name, reason in self.rules.overrides(self.access).items():
            field = self.fields[name]
            field.help_text = reason or self.rules.override_help[name]
            field.disabled = bool(reason)

    @property
    def version_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.rules.versions]

    @property
    def elsewhere_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in OVERRIDES]

    @property
    def is_elsewhere_open(self) -> bool:
        """Whether the fold has something to see: a value, an error, or a region that was offered."""
        return self._offered or any(self[name].errors or self[name].value() for name in OVERRIDES)

    @property
    def is_detailed(self) -> bool:
        """Whether the fold of field and version has something to see."""
        return any(self[name].errors or self[name].value() for name in ("json_field", *self.rules.versions))

    # -- what was typed ------------------------------------------------------------------------------------------
    def clean_takes(self) -> str:
        return str(self.cleaned_data["takes"] or Takes.VALUE)

    def clean_json_field(self) -> str:
        json_field: str = self.cleaned_data["json_field"]
        try:
            check_field(json_field)
        except NotReadable as error:
            raise forms.ValidationError(str(error)) from error
        return json_field

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        self._clean_overrides(values)
        takes = values.get("takes", Takes.VALUE)
        self._refuse_aside(values, takes)
        for name, why in self.rules.impossible(takes, values):
            self.add_error(name, why)
        if "takes" in self.errors:
            return values
        if takes in (Takes.VALUE, Takes.KEYS):
            self._clean_key(values, takes)
        elif takes == Takes.PATH:
            self._clean_below(values)
        elif self.rules.no_tags or (not values.get("tags") and "tags" not in self.errors):
            self.add_error("tags", self.rules.no_tags or "Enter at least one tag, as name=value.")
        self._check_versions(values)
        self._refuse_out_of_reach(values, takes)
        return values

    def _refuse_out_of_reach(self, values: dict[str, Any], takes: str) -> None:
        """Say that a name is not for the one who types it, before anything is looked up; the service looks again."""
        name = "below" if takes == Takes.PATH else "key"
        asked = {"takes": takes, "key": values.get(name, "")}
        wrong = self.limits.wrong(self.access.namespaces, asked) if self.limits else None
        if wrong is None and (asked["key"] or takes == Takes.TAGS):
            asked["tags"] = values.get("tags") or {}
            wrong = inside.refuses(self.editing, self.access, asked)
        if wrong and wrong[0] not in self.errors:
            self.add_error(*wrong)

    def _refuse_aside(self, values: dict[str, Any], takes: str) -> None:
        """Refuse what is about one value where several are taken; other ways' own fields are out of sight and dropped."""
        wanted = _OF[Takes(takes)]
        # A form that is more than this has fields of its own.
        for name in ReferenceForm.base_fields:
            if name in wanted or name in ("takes", *OVERRIDES) or not values.get(name):
                continue
            if name in _ASIDE:
                self.add_error(name, _ASIDE[name])
            else:
                values[name] = {} if name == "tags" else ""

    def _clean_key(self, values: dict[str, Any], takes: str) -> None:
        """Take apart what was typed; what stands in a field of its own goes before what the text says."""
        typed = values.get("key", "").strip()
        if not typed:
            self.add_error("key", f"Enter the name of a {self.rules.noun}.")
            return
        try:
            found = references.parse(self.access, typed)
            self._take(values, found, takes)
            self.notes = references.check(self.access, found, self.overrides)
        except NotReadable as refusal:
            self._refuse(refusal)

    def _take(self, values: dict[str, Any], found: Reference, takes: str) -> None:
        values["key"] = found.key
        if takes == Takes.KEYS and found.json_field:
            raise NotReadable(
                f"#{found.json_field} names one field; every key is taken. Choose “One value”, or take the # away."
            )
        for name in ("json_field", *self.rules.versions):
            told = getattr(found, name)
            if not told or name in self.errors:
                continue
            if values.get(name) and values[name] != told:
                raise NotReadable(
                    f"{told} stands behind the name, and {values[name]} here. Keep one of them.", name
                )
            values[name] = told

    def _refuse(self, refusal: NotReadable) -> None:
        self.add_error(refusal.about, str(refusal))
        for name, value in refusal.offer.items():
            if not self.fields[name].disabled:
                self._fill_in(name, value)

    def _fill_in(self, name: str, value: str) -> None:
        """Let the form show a value that nobody typed, for a person to accept by sending it."""
        data = self.data.copy() if isinstance(self.data, QueryDict) else dict(self.data)
        data[self.add_prefix(name)] = value
        self.data, self._offered = data, True

    def _clean_below(self, values: dict[str, Any]) -> None:
        typed = values.get("below", "")
        if not typed:
            self.add_error("below", "Enter what the names begin with.")
            return
        try:
            values["below"] = self.rules.below.clean(typed)
        except NotReadable as refusal:
            self.add_error("below", str(refusal))

    def _check_versions(self, values: dict[str, Any]) -> None:
        for name, why in self.rules.wrong_versions(values):
            if name not in self.errors:
                self.add_error(name, why)

    def _clean_overrides(self, values: dict[str, Any]) -> None:
        for name in OVERRIDES:
            if name in self.errors or self.fields[name].disabled:
                values[name] = ""
                continue
            try:
                values[name] = self.rules.clean_override(self.access, name, values.get(name, ""))
            except forms.ValidationError as error:
                self.add_error(name, error)
        if not any(name in self.errors for name in OVERRIDES):
            for name, why in self.rules.wrong_together(self.access, self.overrides):
                self.add_error(name, why)

    # -- what comes of it ----------------------------------------------------------------------------------------
    @property
    def overrides(self) -> dict[str, str]:
        """What is read otherwise than by the access itself; empty when nothing is."""
        return {name: value for name in OVERRIDES if (value := self.cleaned_data.get(name))}

    @property
    def reference_values(self) -> dict[str, Any]:
        """The clean values as columns of a link; what is wrong is empty."""
        values = self.cleaned_data
        takes = values.get("takes") or Takes.VALUE
        name = {Takes.PATH: "below", Takes.TAGS: ""}.get(takes, "key")
        pinned = takes in (Takes.VALUE, Takes.KEYS)
        return {
            "takes": takes,
            "key": values.get(name, ""),
            "tags": values.get("tags", {}) if takes == Takes.TAGS else {},
            "json_field": values.get("json_field", "") if takes == Takes.VALUE else "",
            "version": self.rules.version_of(values) if pinned else "",
        }

    @property
    def all_notes(self) -> list[Note]:
        """What the owner of the secret or of the role has to do, for a form that is right."""
        return (
            [*self.notes, *self.rules.override_notes(self.access, self.overrides)] if self.is_valid() else []
        )


def _aws_regions() -> dict[str, str]:
    return aws_regions.served("secretsmanager")
