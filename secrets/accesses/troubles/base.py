"""One row of the table of troubles."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

type About = Literal["link", "store", "both"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that goes wrong. `slug` is its heading in the document; `example` is what the operator says then.

    `pattern` finds it in what the operator says. Reason and remedy may hold {access}, {namespace}, {operator} (its
    namespace), {subject} (whom a token is for), {action} (the missing right), and of a link {named}, {key}, {field},
    {version}, {object}. `cloud` keeps it to one cloud's accesses, or by its slug to those of one provider without; `remedies` are other ones, by method of the access.
    """

    slug: str
    about: About
    example: str
    pattern: str
    reason: str
    remedy: str
    cloud: str = ""
    remedies: Mapping[str, str] = field(default_factory=dict)

    def fits(self, message: str, about: About, cloud: str) -> bool:
        """Tell whether a message means this; without a cloud it may be of any."""
        asked = self.about in ("both", about) and (not cloud or self.cloud in ("", cloud))
        return asked and re.search(self.pattern, message, re.IGNORECASE | re.DOTALL) is not None
