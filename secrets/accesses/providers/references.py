"""What a reference to one of a provider's secrets can be: its key, its versions, and what may differ for one secret."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from accesses.models import Access, StoreVariant

LONGEST_FIELD = 300
OVERRIDES = ("region", "role_arn", "audience")


class NotReadable(ValueError):
    """What was typed names no secret that the access can read; `str()` says why, `field` is what it is about.

    `offer` are overrides with which it could.
    """

    def __init__(self, message: str, about: str = "key", offer: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.about, self.offer = about, dict(offer or {})


@dataclass(frozen=True, slots=True)
class Reference:
    """One upstream value as it was typed: the operator's key, and what else the text said.

    `region` and `account` are empty when the text names none.
    """

    key: str
    json_field: str = ""
    version_id: str = ""
    version_stage: str = ""
    version: str = ""
    region: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """What to know about a reference that may be right, with texts to paste as (what it is, text)."""

    title: str
    text: str
    pastes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """One field in which a person names a version; `written` is what the operator takes."""

    label: str
    help_text: str
    rule: re.Pattern[str]
    wrong: str
    written: str = "{}"


@dataclass(frozen=True, slots=True)
class Below:
    """How many secrets are taken by the beginning of their names."""

    label: str
    help_text: str
    # What was typed → the path as the operator takes it; raises NotReadable
    clean: Callable[[str], str]
    # The path → what the names of it begin with
    prefix: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Varied:
    """The store of a variant: `spec.provider`, and the annotations of its own ServiceAccount where it needs one."""

    spec: dict[str, Any]
    annotations: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class References:
    """What a provider can read by one reference.

    `read` takes what somebody typed or pasted apart, without the access; `check` compares it with the access and its
    overrides. Both raise NotReadable.
    """

    noun: str
    key_help: str
    characters: str
    read: Callable[[str], Reference]
    check: Callable[["Access", Reference, Mapping[str, str]], list[Note]]
    # The form's field → the version that is named there; of two only one
    versions: Mapping[str, Version]
    below: Below
    tags_help: str
    # (wanted, of a secret) → whether the operator would take it
    has_tags: Callable[[Mapping[str, str], Mapping[str, str]], bool]
    # Overrides → why not, with this access's method; empty when it is possible
    overrides: Callable[["Access"], Mapping[str, str]]
    override_help: Mapping[str, str]
    # (access, overrides as typed) → as the store takes them; those equal to the access's own are left out
    clean_override: Callable[["Access", str, str], str]
    # (access, variant, `spec.provider` of the access's own store) → the variant's
    vary: Callable[["Access", "StoreVariant", dict[str, Any]], Varied]
    # What else has to hold of overrides together, as (field, what is wrong)
    wrong_together: Callable[["Access", Mapping[str, str]], list[tuple[str, str]]] = field(
        default=lambda access, overrides: []
    )
    # What somebody else has to do for these overrides
    override_notes: Callable[["Access", Mapping[str, str]], list[Note]] = field(
        default=lambda access, overrides: []
    )
    # The manager lists names without their tags: what has them is not known here
    tags_listed: bool = True
    # Why several cannot be taken by tags; empty where they can
    no_tags: str = ""
    # What must be allowed beside reading one value, to take several
    several_note: str = ""
    # What the operator cannot take of this manager, and why: `json_field`, or several by `keys`, `path` or `tags`
    cannot: Mapping[str, str] = field(default_factory=dict)
    # (what is taken, the form's values) → what else is wrong with them before they are read, as (field, why)
    wrong: Callable[[str, Mapping[str, Any]], list[tuple[str, str]]] = field(default=lambda takes, values: [])
    # What a field of one value is, where it is no JSON field
    field_help: str = ""

    def version_of(self, values: Mapping[str, str]) -> str:
        """Return the version as the operator takes it, of what the version fields hold."""
        return next((one.written.format(values[n]) for n, one in self.versions.items() if values.get(n)), "")

    def wrong_versions(self, values: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return what is wrong with the version fields, as (field, why): two at once, or what is no version."""
        given = [name for name in self.versions if values.get(name)]
        both = "Give a version's ID or a stage, not both: each names one version by itself."
        found = [(given[0], both)] if len(given) > 1 else []
        odd = [name for name in given if not self.versions[name].rule.fullmatch(values[name])]
        return found + [(name, self.versions[name].wrong) for name in odd]

    def impossible(self, takes: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return what the operator cannot do with this secret manager, as (field, why)."""
        found = [("takes", self.cannot[takes])] if takes in self.cannot else []
        asked = values.get("json_field") and "json_field" in self.cannot
        found += [("json_field", self.cannot["json_field"])] if asked else []
        return found or self.wrong(takes, values)

    def fields_of(self, version: str) -> dict[str, str]:
        """Return what the version fields hold for a version as the operator takes it."""
        found = dict.fromkeys(self.versions, "")
        for name, one in self.versions.items():
            start = one.written.partition("{}")[0]
            if version and version.startswith(start):
                return found | {name: version.removeprefix(start)}
        return found


def check_field(json_field: str) -> None:
    """Refuse what can be no path into a JSON value.

    :raises NotReadable: why
    """
    if not json_field.isprintable():
        raise NotReadable("A JSON field has no control characters.")
    if len(json_field) > LONGEST_FIELD:
        raise NotReadable(f"This JSON field has {len(json_field)} characters; {LONGEST_FIELD} are the most.")
    if json_field.startswith(".") or json_field.endswith(".") or ".." in json_field:
        raise NotReadable(f"{json_field} has a dot with nothing beside it. Dots lead deeper: db.password.")


def split_field(text: str) -> tuple[str, str]:
    """Return a key and the JSON field after its first `#`, which no name of any provider has.

    :raises NotReadable: there is a `#` with nothing after or before it, or what follows is no field
    """
    key, mark, json_field = text.partition("#")
    key, json_field = key.strip(), json_field.strip()
    if mark and not key:
        raise NotReadable("Before # comes the secret's name, after it a JSON field: app/db#password.")
    check_field(json_field)
    if mark and not json_field:
        raise NotReadable(
            f"After # comes a JSON field: {key}#password. Without # the whole value of {key} is taken."
        )
    return key, json_field


def split_address(text: str) -> SplitResult:
    """Return the parts of a pasted address, all empty where it is none."""
    try:
        return urlsplit(text)
    except ValueError:
        return SplitResult("", "", "", "", "")


# -- what holds for a provider that says nothing else ---------------------------------------------------------
def _read_name(text: str) -> Reference:
    key, json_field = split_field(text.strip())
    return Reference(key, json_field)


def _not_empty(text: str) -> str:
    return text.strip()


_NOT_SUPPORTED = "Not for this secret manager: it is read as the access is configured."
PLAIN = References(
    noun="secret",
    key_help="A name. With #field for one field of a JSON value: db#password.",
    characters="",
    read=_read_name,
    check=lambda access, reference, overrides: [],
    versions={},
    below=Below("Names that begin with", "Each secret whose name begins so.", _not_empty, _not_empty),
    tags_help="One a line, as name=value.",
    has_tags=lambda wanted, found: wanted.items() <= found.items(),
    overrides=lambda access: dict.fromkeys(OVERRIDES, _NOT_SUPPORTED),
    override_help=dict.fromkeys(OVERRIDES, ""),
    clean_override=lambda access, name, value: "",
    vary=lambda access, variant, spec: Varied(spec),
)
