"""Taking the log away: a filter of it as CSV or JSON lines, and its signed digests."""

from collections.abc import Iterator
from typing import cast

from django.http import HttpResponse, StreamingHttpResponse

from accounts.access import OrgRequest, org_view
from accounts.audit import digests, export, writing
from accounts.audit.forms import FilterForm
from accounts.roles import Permission


@org_view(Permission.AUDIT_VIEW)
def download(request: OrgRequest) -> HttpResponse:
    """Send what the filter of the address lets through, oldest first, as `?format=csv` or `jsonl`."""
    form = FilterForm(request.GET)
    kind = request.GET.get("format", "csv")
    if not form.is_valid() or kind not in export.KINDS:
        problem = "The filter is not valid." if kind in export.KINDS else "The format is csv or jsonl."
        return HttpResponse(problem, status=422, content_type="text/plain; charset=utf-8")
    begun = export.begin(
        organization=request.organization, filters=form.filters(), kind=kind, by=request.user
    )
    return _file(begun.lines(), export.KINDS[kind].content_type, begun.name)


@org_view(Permission.AUDIT_VIEW)
def download_digests(request: OrgRequest) -> HttpResponse:
    """Send the signed digests and where the chain stands now, to keep elsewhere."""
    writing.record(
        organization=request.organization,
        by=request.user,
        action="audit.exported",
        target=request.organization,
        details={"format": "digests"},
    )
    name = f"{request.organization.slug}-audit-digests.jsonl"
    return _file(digests.lines(request.organization), export.KINDS["jsonl"].content_type, name)


def _file(lines: Iterator[str], content_type: str, name: str) -> HttpResponse:
    response = StreamingHttpResponse(lines, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    # The door takes it as what it is to a browser.
    return cast(HttpResponse, response)
