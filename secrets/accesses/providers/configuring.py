"""What the forms of all methods of all providers share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django import forms

from accesses.providers.addresses import AddressField
from accesses.providers.references import NotReadable
from accounts.tags import TagsField
from credentials.fields import Group, Row, SecretForm

if TYPE_CHECKING:
    from accesses.providers.base import Situation


# Of a text that is typed as it is: no browser corrects or completes it.
AS_TYPED = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
_INTERVALS = (
    ("", "1 hour, the console's own"),
    (300, "5 minutes"),
    (900, "15 minutes"),
    (3600, "1 hour"),
    (21600, "6 hours"),
    (86400, "24 hours"),
)


class ConfigurationForm(SecretForm):
    """A provider's own fields for one method; `SecretField`s are credentials, all others are configuration.

    Fields in `ASIDE` and `SEES` are neither: the access has a column for each. Every method asks for those of `SEES`.
    """

    # The metaclass takes it away from the class, whose own `prefix` stays None.
    prefix = forms.CharField(  # type: ignore[assignment]
        label="Name prefix",
        required=False,
        max_length=200,
        help_text="What the names begin with that this access sees, links and writes, for example prod/shop/. Empty is all.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    tags = TagsField(
        label="Default tags",
        max_length=4000,
        help_text="One a line, as name=value. Put on every secret that is made through this access; they win over the "
        "organization's.",
    )
    only_tagged = forms.BooleanField(
        label="Only secrets with the default tags",
        required=False,
        help_text="All others are not seen, nor linked.",
    )
    refresh_seconds = forms.TypedChoiceField(
        label="Read values again every",
        choices=_INTERVALS,
        coerce=int,
        required=False,
        help_text="What a new link begins with; each can have its own.",
    )
    SEES = ("prefix", "tags", "only_tagged", "refresh_seconds")

    ASIDE = ("cloud_credential", "expires_at")
    # How a page lays the fields out: under which heading, folded under which words, and hidden by which class of the
    # stylesheet while another field makes them pointless.
    WHERE: Sequence[str] = ("name", "project", "region")
    HEADING = "Identity"
    FOLDED: Mapping[str, Sequence[str]] = {}
    ONLY: Mapping[str, str] = {}
    # One of these is needed: none of them is optional, and none required.
    ONE_OF: Sequence[str] = ()
    # The configuration for which the stored credential was entered; None where it is the person's own, in a draft.
    entered_for: Mapping[str, Any] | None = None
    # Secrets that are sent to none of the form's addresses.
    STAYS: Sequence[str] = ()
    # Where the stored values differ from what was sent, when somebody else was faster.
    theirs: Sequence[dict[str, str]] = ()

    def __init__(
        self,
        data: Any = None,
        files: Any = None,
        *,
        initial: dict[str, Any] | None = None,
        stored: Iterable[str] = (),
        situation: "Situation | None" = None,
    ) -> None:
        super().__init__(data, files, initial=initial, stored=stored)
        self.situation = situation
        # Refuses tags that the secret manager does not take; who makes the form for an access knows.
        self.check_tags: Callable[[ConfigurationForm], None] = lambda form: None
        for name in self.ONE_OF:
            self.fields[name].one_of = True  # type: ignore[attr-defined]
        if situation is not None:
            self.prepare(situation)

    def prepare(self, situation: "Situation") -> None:
        """Fill in what the cluster decides: choices and defaults."""

    @classmethod
    def addresses(cls) -> list[str]:
        """Return the fields that say to whom the credential is sent."""
        return [name for name, bound in cls.base_fields.items() if isinstance(bound, AddressField)]

    def full_clean(self) -> None:
        """Ask for the credential again where it would go to somebody else than whom it was entered for.

        Whoever may change an access cannot see its credential, and could have it sent to themselves.
        """
        super().full_clean()
        if not self.is_bound or self.entered_for is None or not self._goes_elsewhere(self.entered_for):
            return
        for name in sorted(self.stored - {*self.STAYS, *self.errors}):
            if not self.cleaned_data.get(name):
                label = str(self.fields[name].label)
                self.add_error(
                    name,
                    f"Enter it again: the stored {label} is not sent to another address than the one before.",
                )

    def _goes_elsewhere(self, before: Mapping[str, Any]) -> bool:
        return any(
            _origin(self.cleaned_data.get(name)) != _origin(before.get(name)) for name in self.addresses()
        )

    def groups(self) -> list["Group"]:
        """Return the fields as a page lays them out: where, who signs in, who may use it."""
        elsewhere = (*self.WHERE, *self.SEES, "namespaces")
        groups = {
            "where": ("Where the secrets are", [name for name in self.WHERE if name in self.fields]),
            "identity": (self.HEADING, [n for n in self.fields if n not in elsewhere]),
            "users": ("Who may use it", [name for name in ("namespaces",) if name in self.fields]),
        }
        found = [Group(slug, title, self._rows(names)) for slug, (title, names) in groups.items()]
        folded = Row(
            "Prefix, tags and refresh", "", [self[name] for name in self.SEES if name in self.fields]
        )
        return [*found, Group("sees", "What it sees", [folded])]

    def _rows(self, names: list[str]) -> list["Row"]:
        words = {name: summary for summary, inside in self.FOLDED.items() for name in inside}
        rows: dict[str, Row] = {}
        for name in names:
            row = rows.setdefault(
                words.get(name, name), Row(words.get(name, ""), self.ONLY.get(name, ""), [])
            )
            row.fields.append(self[name])
            row.stored = row.stored or name in self.stored
        return list(rows.values())

    @classmethod
    def public_fields(cls) -> dict[str, forms.Field]:
        """Return the fields of the configuration: what may be shown."""
        aside = {*cls.secret_names(), *cls.ASIDE, *cls.SEES}
        return {name: bound for name, bound in cls.base_fields.items() if name not in aside}

    @classmethod
    def describe(cls, configuration: dict[str, str]) -> list[tuple[str, str]]:
        """Return a stored configuration as (label, value), in the form's order; a choice by its label."""
        return [
            (str(f.label), str(dict(getattr(f, "choices", ())).get(value, value)))
            for name, f in cls.public_fields().items()
            for value in (configuration.get(name, ""),)
        ]

    def configuration(self) -> dict[str, str]:
        """Return what is not secret."""
        return {name: self.cleaned_data[name] for name in self.public_fields()}

    def so_far(self) -> dict[str, Any]:
        """Return the configuration as far as it is right."""
        return {name: self.cleaned_data.get(name, "") for name in self.public_fields()}

    def credential(self, kept: dict[str, str] | None) -> dict[str, str]:
        """Return the credential: what was typed, over what is stored; nothing when one of the organization is used."""
        if self.cleaned_data.get("cloud_credential") is not None:
            return {}
        return self.secret(kept or {})

    def typed(self) -> bool:
        """Tell whether a whole credential was typed that is right as far as the form can tell, whatever else is wrong."""
        names = self.secret_names()
        right = not any(name in self.errors for name in names)
        return right and any(self.cleaned_data.get(name) for name in names)

    def aside(self) -> dict[str, Any]:
        """Return the access's columns that the form fills; what it does not ask for is empty."""
        return {name: self.cleaned_data.get(name) for name in (*self.ASIDE, *self.SEES)}

    def clean(self) -> dict[str, Any]:
        super().clean()
        if self.cleaned_data.get("tags") and not self.fields["tags"].disabled:
            try:
                self.check_tags(self)
            except NotReadable as error:
                self.add_error("tags", str(error))
        return self.cleaned_data

    def clean_prefix(self) -> str:
        prefix: str = self.cleaned_data["prefix"]
        if "*" in prefix:
            raise forms.ValidationError("A prefix is the beginning of the names as it is; leave the * away.")
        if not prefix.isprintable():
            raise forms.ValidationError("No name has control characters.")
        return prefix

    def clean_refresh_seconds(self) -> int:
        return int(self.cleaned_data["refresh_seconds"] or 0)

    def clean_only_tagged(self) -> bool:
        only: bool = self.cleaned_data["only_tagged"]
        if only and not self.cleaned_data.get("tags") and "tags" not in self.errors:
            raise forms.ValidationError("Enter the default tags that they have.")
        return only


def _origin(address: Any) -> tuple[str, str, int | None]:
    """Return whom an address leads to: a path there is theirs as well."""
    parts = urlsplit(str(address or ""))
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)
