"""The settings of the audit log: how long events are kept, and what is needed to check them elsewhere."""

import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone

from accounts.access import OrgRequest, org_view
from accounts.audit import retention, signing
from accounts.audit.forms import RetentionForm
from accounts.audit.models import AuditDigest, AuditEvent, AuditMark
from accounts.organizations.models import Organization
from accounts.roles import Permission
from config import pages


@org_view(Permission.AUDIT_MANAGE, methods=("GET", "POST"), dangerous=True)
def settings(request: OrgRequest) -> HttpResponse:
    """Show how long events are kept and change it, and show the key and the digests of the log."""
    organization = request.organization
    form = RetentionForm(
        request.POST if request.method == "POST" else None,
        initial={"keep": "days" if organization.audit_days else "", "days": organization.audit_days or 365},
    )
    if request.method == "POST" and form.is_valid():
        retention.set_days(organization=organization, days=form.cleaned_data["kept"], by=request.user)
        pages.toast(request, "How long the audit log is kept is saved.")
        return pages.go_to(request, request.path)
    context = {"form": form, "public_key": signing.public_key(), **_state(organization)}
    status = 422 if request.method == "POST" else 200
    return pages.render_page(request, "accounts/audit_settings.html", context, status=status)


def _state(organization: Organization) -> dict[str, Any]:
    events = AuditEvent.objects.owned_by(organization).order_by("sequence").only("sequence", "at")
    days, oldest = organization.audit_days, events.first()
    limit = timezone.now() - datetime.timedelta(days=days) if days else None
    kept = events.filter(at__gte=limit).first() if limit else oldest
    return {
        "days": days,
        "oldest": oldest,
        "newest": events.last(),
        # Events are numbered without a gap.
        "due": kept.sequence - oldest.sequence if kept and oldest else 0,
        "limit": limit,
        "mark": AuditMark.objects.filter(organization=organization).last(),
        "digest": AuditDigest.objects.filter(organization=organization).last(),
    }
