"""The tags that an organization wants on everything that the console makes in its secret managers."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse

from accounts import tags
from accounts.access import OrgRequest, org_view
from accounts.audit import services as audit
from accounts.organizations.models import Organization, User
from accounts.roles import Permission
from config import pages


class TagsForm(forms.Form):
    """The default tags of an organization."""

    tags = tags.TagsField(
        label="Default tags",
        help_text="One a line, as name=value. An access may have tags of its own, which win over these.",
    )


@transaction.atomic
def change(*, organization: Organization, wanted: Mapping[str, str], by: User) -> bool:
    """Replace an organization's default tags, and return whether they differ."""
    found = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    before = dict(found.default_tags)
    if before == dict(wanted):
        return False
    found.default_tags = dict(wanted)
    found.save(update_fields=["default_tags"])
    details: dict[str, Any] = {"changes": {"default tags": [before, dict(wanted)]}}
    audit.record(
        organization=found, by=by, action="organization.default_tags_changed", target=found, details=details
    )
    return True


@org_view(Permission.ORGANIZATION_MANAGE, methods=("GET", "POST"))
def default_tags(request: OrgRequest) -> HttpResponse:
    """Show and change what every secret is tagged with that the console makes."""
    now = Organization.objects.get(pk=request.organization.pk)
    posted = request.POST if request.method == "POST" else None
    form = TagsForm(posted, initial={"tags": tags.as_lines(now.default_tags)})
    if form.is_valid():
        differs = change(organization=now, wanted=form.cleaned_data["tags"], by=request.user)
        pages.toast(request, "Saved." if differs else "Nothing differs.")
        return pages.go_to(request, reverse("accounts:default_tags", kwargs={"org": now.slug}))
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "accounts/default_tags.html", {"form": form}, status=status)
