"""What a cloud is to the console: how a credential of it is entered, whose it is, what it needs to be allowed, and how
it leads to the clusters there."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from credentials.clouds import answers
from credentials.fields import SecretForm

# The certificates of an authority, in base64.
_AUTHORITY = 64 * 1024
# What may be shown of a credential; `partition`, `account`, `project` and the like are a cloud's own words.
type Facts = dict[str, str]
type Secret = dict[str, str]
# What signs requests to one cloud: temporary keys, a token's source, …; it is never stored or shown.
type Session = Any


@dataclass(frozen=True, slots=True)
class Listing:
    """Text to copy: a policy, a command, a script; with a `file` it may be downloaded under that name."""

    label: str
    text: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One numbered step outside the console, or beside the steps (another way, something for later); `link` is (label,
    address). What stands beside comes after the steps."""

    title: str
    text: str
    listings: tuple[Listing, ...] = ()
    link: tuple[str, str] | None = None
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why something cannot be chosen here, and what would make it possible."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Helped:
    """What set-up help is filled in with. `subject` names the organization to clouds: AWS's external id, and who a
    token of ours speaks for; `issuer` is who signs such tokens."""

    subject: str
    issuer: str
    # Where this console is, for the addresses of scripts.
    base_url: str
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an identity, as its cloud knows it; times are None where the cloud does not tell."""

    id: str
    made_at: datetime.datetime | None = None
    used_at: datetime.datetime | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Keyring:
    """How the console itself makes and retires keys of an identity, where its policy lets it.

    All of them raise nothing but `ProviderError`; `PermissionMissing` says that a person has to do it. `make` returns
    the new secret and its facts, which a cloud may take some seconds to know; `remove` and `disable` of what is gone
    are no error. `used` returns when a key was used last, None for never, and raises `NotPossibleHere` where the cloud
    does not tell. `lag` is how late the cloud may tell of a use: what it says of the time since then proves nothing.
    """

    keys: Callable[[Session, Facts], list[Key]]
    make: Callable[[Session, Facts], tuple[Secret, Facts]]
    used: Callable[[Session, Facts, str], datetime.datetime | None]
    disable: Callable[[Session, Facts, str], None]
    enable: Callable[[Session, Facts, str], None]
    remove: Callable[[Session, Facts, str], None]
    # What has to be allowed for it, as text to copy, and the words that introduce it.
    policy: Callable[[Facts], str]
    policy_note: str = ""
    lag: datetime.timedelta = datetime.timedelta(0)

    def __post_init__(self) -> None:
        # What a cloud answers may be anything; nothing but `ProviderError` is raised.
        for name in ("keys", "make", "used", "disable", "enable", "remove"):
            object.__setattr__(self, name, answers.understood(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Method:
    """One kind of credential of a cloud; `consequence` is the line that helps to choose.

    `identify` signs in with a secret and the form's public values, and returns the facts of the identity; of these,
    `expires` (ISO 8601) is when what signs in ends, and `made` when it was made, where the cloud tells. `sign_in`
    returns what signs the cloud's requests. Both raise nothing but `ProviderError`, and are given `subject` and
    `issuer` among the facts.
    """

    slug: str
    label: str
    consequence: str
    form: type[SecretForm]
    identify: Callable[[Secret, Facts], Facts]
    sign_in: Callable[[Secret, Facts], Session]
    # No key is stored, and none has to be rotated.
    keyless: bool = False
    # An access may give it to the operator in place of typed keys.
    for_accesses: bool = False
    obstacle: Callable[[], Obstacle | None] = lambda: None
    cards: Callable[[Helped], tuple[Card, ...]] = lambda helped: ()
    keyring: Keyring | None = None

    def __post_init__(self) -> None:
        # What a cloud answers may be anything; nothing but `ProviderError` is raised.
        identify = answers.understood(self.identify)

        def told(secret: Secret, given: Facts) -> Facts:
            return {name: answers.text(value) for name, value in identify(secret, given).items()}

        object.__setattr__(self, "identify", told)
        object.__setattr__(self, "sign_in", answers.understood(self.sign_in))


@dataclass(frozen=True, slots=True)
class Token:
    """What signs in to a cluster as a cloud's identity, until when."""

    text: str = field(repr=False)
    expires_at: datetime.datetime


@dataclass(frozen=True, slots=True)
class Found:
    """A cluster as its cloud describes it. `locator` finds it again; `authority` is its CA in PEM, in base64.

    `blocked` says why it cannot be connected as it is, with the remedy: it is being made, has no endpoint, …; `note` is
    a line that does not hinder. `facts` are words of its cloud, for `Finder.admission`.
    """

    name: str
    place: str
    account: str
    locator: dict[str, str]
    version: str = ""
    status: str = ""
    endpoint: str = ""
    authority: str = field(default="", repr=False)
    issuer: str = ""
    blocked: Obstacle | None = None
    note: str = ""
    facts: Facts = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("name", "place", "account", "version", "status", "endpoint", "issuer", "note"):
            object.__setattr__(self, name, answers.text(getattr(self, name), 300))
        object.__setattr__(self, "authority", answers.text(self.authority, _AUTHORITY))
        told = {name: answers.text(value, 300) for name, value in self.locator.items()}
        object.__setattr__(self, "locator", told)


@dataclass(frozen=True, slots=True)
class Finder:
    """How a cloud's managed clusters are found and signed in to; its functions raise nothing but `ProviderError`.

    `places` returns what to look in, as (slug, label), the likeliest first; without any, `find` is asked once with "".
    `find` may leave out what only `describe` tells. `admission` are the steps that let the identity into the cluster;
    `refused` says, of the identity and a cluster's locator, why the cluster does not know a good token, and what to do.
    """

    kind: str
    label: str
    place_label: str
    places: Callable[[Facts], list[tuple[str, str]]]
    find: Callable[[Session, Facts, str], list[Found]]
    describe: Callable[[Session, Facts, dict[str, str]], Found]
    token: Callable[[Session, Facts, dict[str, str]], Token]
    admission: Callable[[Facts, Found], tuple[Card, ...]]
    policy: Callable[[Facts], str]
    refused: Callable[[Facts, dict[str, str]], Obstacle] = lambda facts, locator: Obstacle(
        "The cluster does not know the identity of its cloud credential.",
        "Let this identity into the cluster, or choose another credential in the cluster's settings.",
    )

    def __post_init__(self) -> None:
        # What a cloud answers may be anything; nothing but `ProviderError` is raised.
        for name in ("find", "describe", "token"):
            object.__setattr__(self, name, answers.understood(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Cloud:
    """One cloud. A new one is a package with such a record, and one line in the registry.

    `words` are the labels of the facts, in the order in which they are shown. `policy` returns the least that an
    identity with these facts needs to be allowed, as text to copy; without facts, a word stands for the account.
    `examples` are names of credentials, as people would choose them.
    """

    slug: str
    label: str
    methods: tuple[Method, ...]
    words: Mapping[str, str]
    policy: Callable[[Facts], str]
    policy_note: str
    # What the policy is called as a file.
    policy_file: str = "policy.json"
    examples: tuple[str, ...] = ()
    finder: Finder | None = None

    def method(self, slug: str) -> Method | None:
        return next((method for method in self.methods if method.slug == slug), None)

    def describe(self, facts: Facts) -> list[tuple[str, str]]:
        """Return facts as (label, value), in the order in which they are shown."""
        return [(label, facts[name]) for name, label in self.words.items() if facts.get(name)]
