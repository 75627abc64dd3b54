"""What the forms of all methods of all providers share."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django import forms

from credentials.fields import Group, Row, SecretForm

if TYPE_CHECKING:
    from accesses.providers.base import Situation


class ConfigurationForm(SecretForm):
    """A provider's own fields for one method; `SecretField`s are credentials, all others are configuration.

    Fields in `ASIDE` are neither: the access has a column for each.
    """

    ASIDE = ("cloud_credential", "expires_at")
    # How a page lays the fields out: under which heading, folded under which words, and hidden by which class of the
    # stylesheet while another field makes them pointless.
    WHERE: Sequence[str] = ("name", "project", "region")
    HEADING = "Identity"
    FOLDED: Mapping[str, Sequence[str]] = {}
    ONLY: Mapping[str, str] = {}
    # One of these is needed: none of them is optional, and none required.
    ONE_OF: Sequence[str] = ()
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
        for name in self.ONE_OF:
            self.fields[name].one_of = True  # type: ignore[attr-defined]
        if situation is not None:
            self.prepare(situation)

    def prepare(self, situation: "Situation") -> None:
        """Fill in what the cluster decides: choices and defaults."""

    def groups(self) -> list["Group"]:
        """Return the fields as a page lays them out: where, who signs in, who may use it."""
        groups = {
            "where": ("Where the secrets are", [name for name in self.WHERE if name in self.fields]),
            "identity": (self.HEADING, [n for n in self.fields if n not in (*self.WHERE, "namespaces")]),
            "users": ("Who may use it", [name for name in ("namespaces",) if name in self.fields]),
        }
        return [Group(slug, title, self._rows(names)) for slug, (title, names) in groups.items()]

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
        aside = {*cls.secret_names(), *cls.ASIDE}
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
        return {name: self.cleaned_data.get(name) for name in self.ASIDE}
