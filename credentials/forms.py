"""The pages' own forms and fields; a cloud brings the rest itself."""

import dataclasses
import datetime
import itertools
from typing import Any, Self

from django import forms

from accounts.models import Organization
from accounts.naming import TypedNameForm, name_rule
from credentials import clouds
from credentials.clouds.base import Cloud, Method, Obstacle
from credentials.fields import SecretForm
from credentials.models import CloudCredential

# Facts that say who signs in, in the way that is left.
IDENTITIES = ("arn", "email", "client", "key_id")
# So long a reminder may be put off.
MOST_DAYS = 3650


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """One kind to choose, as `aws.role`; with an obstacle it is shown and cannot be chosen."""

    kind: str
    method: Method
    obstacle: Obstacle | None
    preferred: bool


class KindForm(forms.Form):
    """Which cloud, and which kind of credential of it: `aws.role`."""

    kind = forms.ChoiceField(
        label="Which kind of credential?",
        error_messages={
            "required": "Choose a kind of credential.",
            "invalid_choice": "Choose a kind of credential from the list.",
        },
    )

    def __init__(self, data: Any = None, cloud: str = "") -> None:
        # A cloud by itself is one that the page which led here knows already.
        known = [clouds.CLOUDS[cloud]] if cloud in clouds.CLOUDS else list(clouds.CLOUDS.values())
        self.groups = [(one, _offers(one)) for one in known]
        offers = [offer for _, group in self.groups for offer in group]
        possible = [offer.kind for offer in offers if offer.obstacle is None]
        super().__init__(data, initial={"kind": next(iter(possible), "")})
        self.obstacles = {offer.kind: offer.obstacle for offer in offers if offer.obstacle}
        field: Any = self.fields["kind"]
        field.choices = [(offer.kind, offer.method.label) for offer in offers]

    def clean_kind(self) -> str:
        kind: str = self.cleaned_data["kind"]
        if obstacle := self.obstacles.get(kind):
            raise forms.ValidationError(f"{obstacle.reason} {obstacle.remedy}")
        return kind


def _offers(cloud: Cloud) -> list[Offer]:
    """Return the kinds of a cloud, the preferred one first: with several, the first that keeps no key."""
    methods = sorted(cloud.methods, key=lambda method: not method.keyless)
    several = len(methods) > 1
    return [
        Offer(f"{cloud.slug}.{one.slug}", one, one.obstacle(), several and number == 0)
        for number, one in enumerate(methods)
    ]


def suggested_name(organization: Organization, cloud: Cloud) -> str:
    """Return a name that is free: one of the cloud's examples, or else a numbered one."""
    taken = set(CloudCredential.objects.owned_by(organization).values_list("name", flat=True))
    numbered = (f"{cloud.slug}-{number}" for number in itertools.count(1))
    return next(name for name in itertools.chain(cloud.examples, numbered) if name not in taken)


def credential_form(
    organization: Organization,
    method: Method,
    credential: CloudCredential | None = None,
    data: Any = None,
    files: Any = None,
    *,
    same: bool = True,
    cloud: Cloud | None = None,
) -> SecretForm:
    """Return the form that makes a credential, or changes one: its name, then the cloud's own fields.

    Without `same`, the credential signs in in another way from now on, and nothing that is stored is good for that.
    """
    initial = {"name": credential.name, **credential.facts} if credential else {}
    if not same:
        initial = {name: value for name, value in initial.items() if name not in IDENTITIES}
    if cloud is not None:
        initial["name"] = suggested_name(organization, cloud)
    stored = credential.secret if credential and same else ()
    form = method.form(data, files, initial=initial, stored=stored)
    ends: dict[str, forms.Field] = {} if method.keyless else {"until": _until_field()}
    form.add_fields({"name": _name_field(organization, credential, cloud)}, ends)
    return form


def _name_field(
    organization: Organization, credential: CloudCredential | None, cloud: Cloud | None
) -> forms.Field:
    def free(name: str) -> None:
        if name == "new":
            raise forms.ValidationError("The name new is taken by a page; choose another.")
        others = CloudCredential.objects.owned_by(organization)
        if credential is not None:
            others = others.exclude(pk=credential.pk)
        # Every validator is asked, also after the one that refuses NUL, which PostgreSQL does not take.
        if "\x00" not in name and others.filter(name=name).exists():
            raise forms.ValidationError(f"There is a credential named {name} already.")

    examples = " or ".join((cloud.examples if cloud else ()) or ("aws-prod-us-east-1",))
    return forms.CharField(
        label="Name",
        max_length=40,
        validators=[name_rule, free],
        error_messages={"required": "Enter a name for this credential."},
        help_text=f"Cloud, stage and place, so that everybody knows it: for example {examples}.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


def _until_field() -> forms.DateField:
    return forms.DateField(
        label="Ends on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Enter a date, like 2027-03-31."},
        help_text="Only if these values end and the cloud does not tell; Keyhaven then says so 30 days before.",
    )


def until_of(form: forms.Form) -> datetime.datetime | None:
    """Return when what was entered ends: with the day that somebody named, in UTC."""
    day: datetime.date | None = form.cleaned_data.get("until")
    return datetime.datetime.combine(day, datetime.time(23, 59, 59), datetime.UTC) if day else None


class RemindersForm(forms.Form):
    """When the keys of a credential are due to be replaced, and when they end."""

    rotate_days = forms.IntegerField(
        label="Remind after so many days",
        required=False,
        min_value=1,
        max_value=MOST_DAYS,
        help_text="Since the key was made. Left empty, nobody is reminded of its age.",
        error_messages={
            "invalid": "Enter a whole number of days.",
            "min_value": "Enter at least 1 day, or nothing.",
            "max_value": f"Enter at most {MOST_DAYS} days.",
        },
        widget=forms.NumberInput(attrs={"min": 1, "max": MOST_DAYS}),
    )
    until = _until_field()

    @classmethod
    def of(cls, credential: CloudCredential, data: Any = None) -> Self:
        """Return the form of one credential; when it ends is not asked where its cloud tells."""
        ends = credential.expires_at
        form = cls(data, initial={"rotate_days": credential.rotate_days, "until": ends and ends.date()})
        if credential.facts.get("expires"):
            del form.fields["until"]
        return form

    @property
    def until_at(self) -> datetime.datetime | None:
        return until_of(self)


class DeleteForm(TypedNameForm):
    noun = "credential"
