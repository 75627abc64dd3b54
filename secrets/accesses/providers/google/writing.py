"""Writing to GCP Secret Manager, over its REST interface: each request is sent once."""

import base64
import contextlib
import datetime
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers.google import ways as google
from accesses.providers.references import NotReadable
from accesses.providers.writing import Writing
from credentials.clouds import errors
from credentials.clouds import google as cloud

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

CREATE, ADD = "secretmanager.secrets.create", "secretmanager.versions.add"
UPDATE, DELETE, GET = (
    "secretmanager.secrets.update",
    "secretmanager.secrets.delete",
    "secretmanager.secrets.get",
)
ROLE = "keyhavenSecretWriter"
# Google's own roles that may write may read values too, or may do everything.
POLICY = "\n".join(
    (
        f"gcloud iam roles create {ROLE} --project=PROJECT_ID --stage=GA \\",
        f"  --permissions={','.join((CREATE, ADD, UPDATE, DELETE, GET))}",
        'gcloud projects add-iam-policy-binding PROJECT_ID --member="serviceAccount:EMAIL" \\',
        f"  --role=projects/PROJECT_ID/roles/{ROLE} --condition=None",
    )
)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_LABEL = re.compile(r"[\w-]{0,63}")
MOST_LABELS = 64


class Writes:
    """What GCP Secret Manager's client has to write with."""

    _access: "Access | AccessDraft"
    _signed_in: Any
    _project: str
    _region: str

    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        made = self._call("POST", self._parent, CREATE, _new(tags, self._region), making=True, secretId=name)
        try:
            self.put(name, value)
        except errors.NotReachable:
            raise
        except errors.ProviderError:
            # An empty one would be in the way, and its services would wait for a value.
            with contextlib.suppress(errors.ProviderError):
                self.delete(name)
            raise
        return str(made.get("name") or f"{self._parent.removeprefix('v1/')}/{name}")

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        data = base64.b64encode(value.encode()).decode()
        self._call("POST", f"{self._parent}/{name}:addVersion", ADD, {"payload": {"data": data}})

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        known = self._call("GET", f"{self._parent}/{name}", GET)
        labels = {**(known.get("labels") or {}), **tags}
        # With what was read, so that labels which somebody else gives meanwhile are not taken away.
        body = {"labels": labels} | ({"etag": known["etag"]} if known.get("etag") else {})
        self._call("PATCH", f"{self._parent}/{name}", UPDATE, body, updateMask="labels")

    def delete(self, name: str) -> datetime.datetime | None:
        self._call("DELETE", f"{self._parent}/{name}", DELETE)
        return None

    def restore(self, name: str) -> None:
        raise errors.NotThere("Google keeps nothing of what was deleted.", "Make it anew.")

    @property
    def _parent(self) -> str:
        where = f"/locations/{self._region}" if self._region else ""
        return f"v1/projects/{self._project}{where}/secrets"

    @cached_property
    def _once(self) -> Any:
        return cloud.Api(self._signed_in, once=True)

    @sensitive_variables()
    def _call(
        self,
        method: str,
        path: str,
        permission: str,
        body: dict[str, Any] | None = None,
        *,
        making: bool = False,
        **query: str,
    ) -> dict[str, Any]:
        service = f"secretmanager.{self._region}.rep" if self._region else "secretmanager"
        try:
            found: dict[str, Any] = self._once.call(method, service, path, permission, body, **query)
        except errors.Raced:
            if not making:
                raise
            raise errors.AlreadyThere("There is a secret of that name already.") from None
        except errors.PermissionMissing as error:
            raise errors.PermissionMissing(
                permission, error.reason, error.remedy, self._policy(permission)
            ) from None
        return found

    def _policy(self, permission: str) -> str:
        """Return the lines that let this access write, for its own project and identity."""
        text = POLICY.replace("serviceAccount:EMAIL", google.member(self._access))
        return f"# for {permission}\n{text.replace('PROJECT_ID', self._project)}"


def _new(labels: Mapping[str, str], region: str) -> dict[str, Any]:
    """Return a new secret; one of a region says nothing of copies elsewhere."""
    found: dict[str, Any] = {} if region else {"replication": {"automatic": {}}}
    return found | ({"labels": dict(labels)} if labels else {})


def writable_name(access: "Access", name: str) -> str:
    """Return the name, if Google takes it.

    :raises NotReadable: it does not
    """
    if not _NAME.fullmatch(name):
        raise NotReadable("Use 1 to 255 letters, digits, hyphens and underscores.")
    return name


def check_labels(tags: Mapping[str, str]) -> None:
    """Check that Google takes these tags as labels; they are not written otherwise than they were typed.

    :raises NotReadable: with the reason
    """
    if len(tags) > MOST_LABELS:
        raise NotReadable(f"These are {len(tags)} tags; Google takes {MOST_LABELS} labels a secret.")
    for name, value in tags.items():
        if not (
            name[:1].isalpha() and all(_LABEL.fullmatch(one) and one == one.lower() for one in (name, value))
        ):
            raise NotReadable(
                f"“{name}={value}” is no label of Google's: those have at most 63 lower-case letters, digits, hyphens "
                "and underscores, and a name begins with a letter."
            )


WRITING = Writing(
    policy=POLICY,
    restores=False,
    name=writable_name,
    check_tags=check_labels,
    most_bytes=65_536,
    note="Tags are labels there. A deleted secret is gone at once, with all of its versions; to stop its use and keep "
    "it, disable its version at Google.",
)
