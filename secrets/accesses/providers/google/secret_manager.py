"""GCP Secret Manager."""

import datetime
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from accesses.providers import slicing
from accesses.providers.base import Entry, Page, Probe, Provider
from accesses.providers.google import references as google_references
from accesses.providers.google import ways as google
from accesses.providers.google import writing as google_writing
from credentials.clouds import errors
from credentials.clouds import google as cloud
from credentials.clouds.google import wire as google_wire

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

SLUG = "gcp-secret-manager"
LIST, GET, READ = "secretmanager.secrets.list", "secretmanager.secrets.get", "secretmanager.versions.access"
ACCESSOR, VIEWER = "roles/secretmanager.secretAccessor", "roles/secretmanager.viewer"

NAME = re.compile(r"[A-Za-z0-9_-]{0,255}")
# What Google's filter takes for an operator: then it is not asked to filter.
_NO_WORD = re.compile(r"-.*|and|or|not", re.IGNORECASE)
# Google counts requests, 600 a minute and project, and not names: a page of ours is a slice of one of its.
ASKED, SHOWN = 1000, 100
REQUESTS = 5


class Client(google_writing.Writes):
    """Lists names with the access's own identity, and writes for people; never asks for a value."""

    def __init__(self, access: "Access | AccessDraft", signed_in: Any) -> None:
        self._access, self._signed_in = access, signed_in
        self._project = access.configuration["project"]
        self._region = access.configuration.get("region", "")
        self._last: tuple[tuple[str, str], list[Entry], str] | None = None

    @cached_property
    def _manager(self) -> Any:
        return cloud.secret_manager(self._signed_in, self._region)

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries, in Google's order."""
        if not NAME.fullmatch(prefix):
            return Page([])
        number, _, token = cursor.partition(":")
        start = slicing.offset(number)
        for _ in range(REQUESTS):
            found, after = self._asked(prefix, token)
            end = start + SHOWN
            if part := found[start:end]:
                following = f"{end}:{token}" if end < len(found) else f"0:{after}" if after else ""
                return Page(part, following)
            if not after:
                return Page([])
            token, start = after, 0
        return Page([], f"0:{token}")

    def changes(self, since: datetime.datetime, cursor: str = "") -> Page:
        """Return entries that were made since then; of what else is changed Google's filter knows nothing."""
        made = since.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Page(*self._listed(f"create_time>{made}", cursor))

    def _asked(self, prefix: str, token: str) -> tuple[list[Entry], str]:
        """Return one page of Google's, of which only names with the prefix, and where the next one begins."""
        if self._last is not None and self._last[0] == (prefix, token):
            return self._last[1:]
        # Finds it anywhere in a name.
        words = f"name:{prefix}" if prefix and not _NO_WORD.fullmatch(prefix) else ""
        found, after = self._listed(words, token)
        kept = [entry for entry in found if entry.name.startswith(prefix)]
        self._last = ((prefix, token), kept, after)
        return kept, after

    def _listed(self, words: str, token: str) -> tuple[list[Entry], str]:
        """Return one page of Google's that a filter lets through, and where the next one begins."""
        where = f"/locations/{self._region}" if self._region else ""
        wanted = {"parent": f"projects/{self._project}{where}", "page_size": ASKED, "page_token": token}
        if words:
            wanted["filter"] = words
        try:
            with cloud.translated(LIST, self._statement(LIST)):
                pages = self._manager.list_secrets(wanted, timeout=google_wire.READ, retry=None).pages
                answer = next(iter(pages))
                return [_entry(one) for one in answer.secrets], answer.next_page_token
        except errors.ProviderError as error:
            self._check_region(error)
            raise

    def _check_region(self, error: errors.ProviderError) -> None:
        """Say so if it is the region that is wrong: at Google that looks like many other things.

        :raises NotThere: there are no regional secrets in it
        """
        if not self._region or isinstance(error, errors.CredentialRefused | errors.Throttled):
            return
        try:
            places = cloud.locations(self._signed_in, self._project)
        except errors.ProviderError:
            return
        if places and self._region not in places:
            raise errors.NotThere(
                f"Secret Manager has no regional secrets in {self._region}.",
                f"Leave the region empty for global secrets, or choose one of {', '.join(sorted(places))}.",
            ) from None

    def whoami(self) -> str:
        """Return the service account that signs in, or the cluster's identity in its workload identity pool."""
        return str(getattr(self._signed_in, "service_account_email", "") or google.principal(self._access))

    def probe(self, entries: list[Entry]) -> list[Probe]:
        """Return whether values and facts may be read, by Google's own test, which reads neither."""
        if not entries:
            return []
        wanted = [READ, GET]
        asked = {"resource": entries[0].reference, "permissions": wanted}
        with cloud.translated(GET, self._statement(READ)):
            answer = self._manager.test_iam_permissions(asked, timeout=google_wire.READ, retry=None)
            held = set(answer.permissions)
        words = {True: "Tested", False: "Denied"}
        return [Probe(one, one in held, words[one in held], entries[0].name) for one in wanted]

    def statement(self, actions: list[str]) -> str:
        return self._statement(*actions)

    def _statement(self, *actions: str) -> str:
        """Return the gcloud lines that grant what is missing."""
        roles = sorted({ACCESSOR if action == READ else VIEWER for action in actions})
        return f"# for {', '.join(actions)}\n{google.grant(self._access, *roles)}"


def _entry(found: Any) -> Entry:
    return Entry(
        name=found.name.rpartition("/")[2],
        reference=found.name,
        kind="secret",
        changed_at=found.create_time,
        tags=dict(found.labels),
        deletes_at=found.expire_time,
    )


def _store(access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    """Return `spec.provider`; without `auth` the operator uses its own identity."""
    spec: dict[str, Any] = {"projectID": access.configuration["project"]}
    if region := access.configuration.get("region"):
        spec["location"] = region
    return {"gcpsm": spec | ({"auth": auth} if auth else {})}


POLICY = "\n".join(
    f'gcloud projects add-iam-policy-binding PROJECT_ID --member="serviceAccount:EMAIL" --role="{role}" --condition=None'
    for role in (ACCESSOR, VIEWER)
)
PROVIDER = Provider(
    slug=SLUG,
    label="GCP Secret Manager",
    sentence="Secrets of one Google Cloud project.",
    methods=google.METHODS,
    store_provider=_store,
    connect=Client,
    references=google_references.SECRETS,
    policy=POLICY,
    policy_note="secretAccessor reads values, which the operator does; viewer lists names, which the console does. "
    "secretAccessor may be granted on some secrets alone, viewer only on the whole project.",
    cloud="gcp",
    tells_changes=True,
    writing=google_writing.WRITING,
    limits="Google counts per project: 90,000 reads of values a minute, 600 of names and facts, 600 of what writes. The "
    "console reads 100 names by one request; the operator makes one request for each value that it reads.",
)
