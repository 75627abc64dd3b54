"""What the console makes of Secrets: their data and labels, and the Role that lets an identity at them."""

import base64
import json
import re
from collections.abc import Mapping

from django.views.decorators.debug import sensitive_variables

from accesses.providers.kubernetes.forms import NAME
from accesses.providers.references import NotReadable
from credentials.clouds import errors

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_TAG_PREFIX = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?")
_TAG = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABELS = "Labels have at most 63 letters, digits and . _ -, a letter or digit at both ends."
MANAGED_BY, OPERATED = "app.kubernetes.io/managed-by", "reconcile.external-secrets.io/managed"
OWN_LABELS = (MANAGED_BY, OPERATED)


@sensitive_variables()
def data_of(value: str) -> dict[str, str]:
    """Return a Secret's data: an object of strings by its keys, anything else under `value`."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    keys = found if isinstance(found, dict) and found else {}
    whole = all(isinstance(text, str) and _KEY.fullmatch(key) for key, text in keys.items())
    parts = keys if keys and whole else {"value": value}
    return {key: base64.b64encode(text.encode()).decode() for key, text in parts.items()}


def _is_label(key: str, value: str) -> bool:
    start, slash, name = key.rpartition("/")
    named = _TAG_PREFIX.fullmatch(start + slash) and _TAG.fullmatch(name)
    return bool(named and (not value or _TAG.fullmatch(value)))


def check_labels(tags: Mapping[str, str]) -> None:
    """Check that a Secret takes tags as labels, which say nothing of who manages it.

    :raises NotReadable: with the reason
    """
    for key, value in tags.items():
        if not _is_label(key, value):
            raise NotReadable(f"{key[:80]} cannot be a label of a Secret. {_LABELS}")
        if key in OWN_LABELS:
            raise NotReadable(f"{key} says who manages a Secret, which is the console.")


def labels_of(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags as labels.

    :raises NotValid: one cannot be a label
    """
    try:
        check_labels(tags)
    except NotReadable as error:
        raise errors.NotValid(str(error), "Choose other tags.") from None
    return dict(tags)


def check_name(name: str) -> None:
    """Refuse what can be no name of a Secret.

    :raises NotValid: why
    """
    if not NAME.fullmatch(name):
        raise errors.NotValid(
            "This is no name of a Secret.",
            "It has small letters, digits, hyphens and dots, for example shop-db.",
        )


def role(namespace: str, subject: str, space: str, *, writes: bool = False) -> str:
    """Return the manifests that allow a ServiceAccount to read a namespace's Secrets, and to write them."""
    more = (
        '  # The console makes, changes and deletes Secrets.\n  - apiGroups: [""]\n    resources: [secrets]\n'
        "    verbs: [create, patch, delete]\n"
    )
    return f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {subject}, namespace: {namespace}}}
rules:
  # The console lists names and labels; the operator reads values.
  - apiGroups: [""]
    resources: [secrets]
    verbs: [get, list, watch]
  # The operator checks its store by it.
  - apiGroups: [authorization.k8s.io]
    resources: [selfsubjectrulesreviews]
    verbs: [create]
{more if writes else ""}---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {subject}, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {subject}}}
subjects:
  - {{kind: ServiceAccount, name: {subject}, namespace: {space}}}"""
