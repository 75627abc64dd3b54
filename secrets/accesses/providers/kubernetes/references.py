"""What references to Secrets of Kubernetes can be."""

import re
from dataclasses import replace

from accesses.providers.kubernetes.forms import NAME
from accesses.providers.references import PLAIN, Below, NotReadable, Reference, split_field

_START = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")


def _read(text: str) -> Reference:
    """Return what a Secret's name, or `name#key` with one of its keys, says."""
    key, json_field = split_field(text.strip().removeprefix("secret/"))
    if "/" in key:
        raise NotReadable(
            f"“{key[:80]}” names a namespace. The access reads one namespace: enter the Secret's name alone, "
            "or add an access for that namespace."
        )
    if not NAME.fullmatch(key):
        raise NotReadable(
            f"“{key[:80]}” is no name of a Secret: small letters, digits, hyphens and dots. "
            "One of its keys follows after #: db#password."
        )
    return Reference(key, json_field)


def _clean_start(text: str) -> str:
    start = text.strip().removesuffix("*")
    if not _START.fullmatch(start):
        raise NotReadable(f"“{start[:80]}” begins no name: small letters, digits, hyphens and dots.", "below")
    return start


SECRETS = replace(
    PLAIN,
    noun="Secret",
    key_help="A Secret's name, with #key for one of its keys: db#password. Without a key all of them are taken, as JSON. "
    "A key that holds JSON may go on with a dot: config#app.user. There are no versions.",
    characters="small letters, digits, hyphens and dots",
    read=_read,
    below=Below(
        "Names that begin with",
        "Each Secret whose name begins so becomes a key, with all that it holds as JSON.",
        _clean_start,
        lambda path: path,
    ),
    tags_help="Labels, one a line, as name=value; Secrets that have all of them become keys, each as JSON.",
    several_note="Needs list on Secrets. The operator lists all Secrets of the namespace, with their values.",
)
