"""Files of ours that people run in their own cloud, for everybody to read: nothing in them is a secret."""

import functools
import hashlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

# Minutes, so that a new version of the console is soon what people get.
CACHED = "public, max-age=300"
SCRIPT, YAML = "text/x-shellscript", "text/yaml"


@dataclass(frozen=True, slots=True)
class Published:
    """One file; `file` is the name that it is downloaded under."""

    file: str
    path: Path
    kind: str = SCRIPT

    @property
    def text(self) -> str:
        return _read(self.path)

    @property
    def digest(self) -> str:
        """Its SHA-256 in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def stem(self) -> str:
        return Path(self.file).stem

    def fetched(self, base_url: str) -> str:
        """Return the beginning of a command that downloads it."""
        url = f"{base_url.rstrip('/')}/setup/{self.file}"
        return f"curl -fsSo {self.file} {shlex.quote(url)} && \\\n  "

    def checked(self) -> str:
        """Return the part of a command that goes on only if it is what this version of the console has."""
        return f"echo {shlex.quote(f'{self.digest}  {self.file}')} | sha256sum -c - && \\\n  "


@functools.cache
def _read(path: Path) -> str:
    return path.read_text()


def view(one: Published) -> Callable[..., HttpResponse]:
    """Return the page that answers a file: a script to be looked at, anything else to be kept."""
    shown = "inline" if one.kind == SCRIPT else "attachment"

    @require_safe
    @condition(etag_func=lambda request: f'"{one.digest}"')
    def answer(request: HttpRequest) -> HttpResponse:
        headers = {
            "Content-Disposition": f'{shown}; filename="{one.file}"',
            "Cache-Control": CACHED,
            "X-Content-Type-Options": "nosniff",
        }
        return HttpResponse(one.text, content_type=f"{one.kind}; charset=utf-8", headers=headers)

    return answer
