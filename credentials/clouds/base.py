"""What a cloud is to the console: how a credential of it is entered, whose it is, and what it needs to be allowed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from credentials.fields import SecretForm

# What may be shown of a credential; `partition`, `account`, `project` and the like are a cloud's own words.
type Facts = dict[str, str]
type Secret = dict[str, str]


@dataclass(frozen=True, slots=True)
class Method:
    """One kind of credential of a cloud; `consequence` is the line that helps to choose.

    `identify` signs in with a secret and the form's public values, and returns the facts of the identity. It raises
    nothing but `ProviderError`.
    """

    slug: str
    label: str
    consequence: str
    form: type[SecretForm]
    identify: Callable[[Secret, Facts], Facts]


@dataclass(frozen=True, slots=True)
class Cloud:
    """One cloud. A new one is a module with such a record, and one line in the registry.

    `words` are the labels of the facts, in the order in which they are shown. `policy` returns the least that an
    identity with these facts needs to be allowed, as text to copy; without facts, a word stands for the account.
    """

    slug: str
    label: str
    methods: tuple[Method, ...]
    words: Mapping[str, str]
    policy: Callable[[Facts], str]
    policy_note: str

    def method(self, slug: str) -> Method | None:
        return next((method for method in self.methods if method.slug == slug), None)

    def describe(self, facts: Facts) -> list[tuple[str, str]]:
        """Return facts as (label, value), in the order in which they are shown."""
        return [(label, facts[name]) for name, label in self.words.items() if facts.get(name)]
