"""The API's calls on the audit log: pages of it, one event, and an export of any filter."""

from datetime import datetime
from typing import Any, Literal, Self

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query
from pydantic import BaseModel, Field

from accounts.audit import export, queries
from accounts.audit.models import AuditEvent
from accounts.roles import Permission
from config.api import paging
from config.api.calls import ApiRequest, Calls, Shown
from config.api.reading import Moment

calls = Calls("Audit log")
# The largest number of an event that PostgreSQL can hold.
LAST = 2**63 - 1


class EventShown(Shown):
    """One thing that was done, was refused or failed."""

    sequence: int
    at: datetime
    action: str = Field(examples=["cluster.connected"])
    actor_id: str = Field(description="Empty where the console itself did it.")
    actor_name: str
    role: str
    token: str = Field(description="The API token that was shown, by its name and beginning.")
    target_type: str
    target_id: str
    target_name: str
    cluster: str
    details: dict[str, Any]
    origin: str = Field(description="console, api, worker or cli")
    address: str
    user_agent: str
    request_id: str
    previous_hash: str
    hash: str

    @classmethod
    def of(cls, event: AuditEvent) -> Self:
        return cls.model_validate(event)


class Wanted(BaseModel):
    """What events must be like; what is left out is not asked about."""

    q: str = Field("", max_length=queries.LONGEST_TEXT, description="Words in names and actions.")
    actor: str = Field("", max_length=40, description="An `actor_id`.")
    action: str = Field("", max_length=60, description="A code, or a group of them: `deploy.*`.")
    outcome: Literal["", "done", "refused", "failed"] = ""
    target_type: str = Field("", max_length=40)
    target: str = Field("", max_length=40, description="A `target_id`.")
    cluster: str = Field("", max_length=40)
    origin: Literal["", "console", "api", "worker", "cli"] = ""
    address: str = Field("", max_length=45)
    token: str = Field("", max_length=100)
    since: Moment | None = None
    until: Moment | None = Field(None, description="Exclusive.")

    def filters(self) -> queries.Filters:
        return queries.Filters(
            actor_id=self.actor,
            actions=(self.action,) if self.action else (),
            target_type=self.target_type,
            target_id=self.target,
            cluster=self.cluster,
            origin=self.origin,
            address=self.address,
            token=self.token,
            outcome=self.outcome,
            since=self.since,
            until=self.until,
            text=self.q,
        )


@calls.get("/audit-events", Permission.AUDIT_VIEW)
def list_audit_events(
    request: ApiRequest, page: Query[paging.Paging], wanted: Query[Wanted]
) -> paging.Page[EventShown]:
    """List what was done, the newest first."""
    before = paging.unseal(request, ["sequence"], page.cursor)[0] if page.cursor else None
    found = queries.page(
        queries.events(request.organization, wanted.filters()), before=before, size=page.limit
    )
    after = paging.seal(request, ["sequence"], [found.older]) if found.older is not None else None
    return paging.Page(items=[EventShown.of(event) for event in found.rows], next=after)


@calls.get("/audit-events/{sequence}", Permission.AUDIT_VIEW)
def get_audit_event(request: ApiRequest, sequence: int) -> EventShown:
    """Show one event, by its number."""
    owned = AuditEvent.objects.owned_by(request.organization)
    return EventShown.of(get_object_or_404(owned, sequence=max(-1, min(sequence, LAST))))


@calls.get("/audit-export", Permission.AUDIT_VIEW, media="application/jsonl")
def export_audit_events(request: ApiRequest, wanted: Query[Wanted]) -> StreamingHttpResponse:
    """Stream events as lines of JSON, the oldest first; the export is itself an event.

    The first line says what was asked for, the last that the file is whole.
    """
    begun = export.begin(
        organization=request.organization, filters=wanted.filters(), kind="jsonl", by=request.user
    )
    answer = StreamingHttpResponse(begun.lines(), content_type=export.KINDS["jsonl"].content_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="{begun.name}"'
    return answer
