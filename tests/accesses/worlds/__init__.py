"""Where each provider's names, good, wrong and limited credentials come from in its contract test.

A provider has a module here of its slug's name (`-` is `_`): `METHODS`, the methods that the contract is tried by, and
`world(sandbox, method)`.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accesses import providers
from tests import factories


@dataclass(frozen=True)
class World:
    """A secret manager to test against.

    `names` are all that the good credential lists, `value` reads one as its owner. `wrong` is refused; `limited` may not
    list, for want of `permission` (None: the vendor has no such thing). `nowhere` cuts the way to it, `slow` makes it ask
    to slow down, `over` ends what was signed in with (None: nothing there ends). `writer` may write below `namespace`.
    `prepare` gets an access that was made, for example to give its cluster a ServiceAccount.
    """

    method: str
    configuration: dict[str, str]
    good: dict[str, str]
    wrong: dict[str, str]
    limited: dict[str, str] | None
    permission: str
    names: list[str]
    nowhere: Callable[[Any], None]
    value: Callable[[str], str]
    slow: Callable[[], None] | None = None
    over: Callable[[], None] | None = None
    writer: dict[str, str] | None = None
    namespace: str = ""
    # Takes away for good what a test made, also where a deleted one is kept; without it the writer deletes.
    forget: Callable[[str], None] | None = None
    prepare: Callable[[Any], None] = lambda access: None
    # What a method without a credential is wrong or limited by: fields of the configuration instead.
    wrong_configuration: dict[str, str] | None = None
    limited_configuration: dict[str, str] | None = None
    # Where who may write is named in the configuration, not in the credential alone.
    writer_configuration: dict[str, str] | None = None
    # How names are written there, of letters, digits and hyphens
    spell: Callable[[str], str] = str


class Sandbox:
    """What plays the secret managers; each is started when it is first asked for."""

    def __init__(self, request: Any) -> None:
        self.fixture: Callable[[str], Any] = request.getfixturevalue

    @property
    def aws(self) -> Any:
        self.fixture("aws_endpoint")
        return self.fixture("sandbox_cloud")

    @property
    def google(self) -> Any:
        self.fixture("google_endpoint")
        return self.fixture("sandbox_google")

    @property
    def azure(self) -> Any:
        self.fixture("azure_endpoint")
        return self.fixture("sandbox_azure")

    def vendor(self, slug: str) -> Any:
        return self.fixture("vendors")[slug]


def _module(slug: str) -> Any:
    return importlib.import_module(f"tests.accesses.worlds.{slug.replace('-', '_')}")


def cases() -> list[tuple[str, str]]:
    """Return (slug, method) of all that the contract is tried with."""
    return [(slug, method) for slug in providers.PROVIDERS for method in _module(slug).METHODS]


def of(slug: str, method: str, sandbox: Sandbox) -> World:
    found: World = _module(slug).world(sandbox, method)
    return found


def make_access(slug: str, found: World, credential: dict[str, str] | None, **fields: Any) -> Any:
    """Make an access of that world with a credential."""
    fields.setdefault("configuration", found.configuration)
    access = factories.make_access(provider=slug, method=found.method, credential=credential, **fields)
    found.prepare(access)
    return access
