"""The page Writing of an access: whether secrets are written through it, what that needs, and their tags."""

from django import forms
from django.http import HttpResponse

from accesses import writing
from accesses.models import Access
from accesses.providers import PROVIDERS
from accesses.providers.references import NotReadable
from accesses.views import accesses
from accounts import tags
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from config import pages


class TagsForm(forms.Form):
    """The default tags of an access, as its secret manager takes them."""

    tags = tags.DefaultTagsField(
        label="Default tags",
        help_text="One a line, as name=value. They win over the organization's.",
    )

    def __init__(self, access: Access, data: object = None) -> None:
        super().__init__(data, initial={"tags": tags.as_lines(access.tags)})  # type: ignore[arg-type]
        self._access = access

    def clean_tags(self) -> dict[str, str]:
        found: dict[str, str] = self.cleaned_data["tags"]
        how = PROVIDERS[self._access.provider].writing_of(self._access)
        if how is not None and how.tags:
            try:
                how.check_tags({**self._access.cluster.organization.default_tags, **found})
            except NotReadable as error:
                raise forms.ValidationError(str(error)) from None
        return found


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"), dangerous=True)
def show(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Show what writing through an access needs; allow it, end it, or change the tags of what is made."""
    found = accesses.find(request, cluster, access, Permission.ACCESS_MANAGE)
    act = request.POST.get("act", "") if request.method == "POST" else ""
    form = TagsForm(found, request.POST if act == "tags" else None)
    wrong = ""
    if act == "tags" and form.is_valid():
        differs = writing.set_tags(access=found, tags=form.cleaned_data["tags"], by=request.user)
        return _back(request, found, "Saved." if differs else "Nothing differs.")
    if act in ("allow", "end"):
        try:
            writing.allow(access=found, writes=act == "allow", by=request.user)
        except writing.NotWritable as error:
            wrong = str(error)
        else:
            said = "may be written through now" if found.writes else "only reads now"
            return _back(request, found, f"{found} {said}.")
    context = accesses.facts(found) | {
        "cluster": found.cluster, "form": form, "wrong": wrong, "writing": PROVIDERS[found.provider].writing_of(found),
        "defaults": sorted(found.cluster.organization.default_tags.items()),
        "made_with": sorted(writing.tags_of(found).items()),
        "who_may_write": who_may(Permission.SECRET_WRITE),
    }  # fmt: skip
    status = 422 if request.method == "POST" else 200
    return pages.render_page(request, "accesses/writing.html", context, status=status)


def _back(request: OrgRequest, access: Access, said: str) -> HttpResponse:
    pages.toast(request, said)
    return pages.go_to(request, accesses.url(request, access, "writing"))
