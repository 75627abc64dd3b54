"""A cluster's configuration as YAML: taking it away, and making links of what somebody brings."""

from typing import Any

from django import forms
from django.core import signing
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters.models import Cluster
from clusters.views import clusters
from config import pages
from credentials.fields import SealedTextarea, pasted_or_uploaded
from external_secrets.exchange import exporting, importing, planning, yamls
from external_secrets.exchange.importing import Parsed
from external_secrets.exchange.yamls import Mistake
from external_secrets.views import found as found_views
from external_secrets.views import lookup

# So much of the file stands in the page; the download has all of it.
SHOWN = 200_000
_SALT = "external_secrets.import"
# A form's fields may have 1 MiB together.
LARGEST_KEPT = 900_000


@org_view(Permission.EXTERNAL_SECRET_VIEW)
def export(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show a cluster's configuration as plain YAML, or send it as a file with `?download=1`."""
    here = clusters.find(request, cluster)
    made = exporting.export(here, request.authority)
    if request.GET.get("download"):
        exporting.record(cluster=here, found=made, by=request.user)
        response = HttpResponse(made.text, content_type="application/yaml; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{here.name}-external-secrets.yaml"'
        response["Cache-Control"] = "no-store"
        return response
    context = clusters.page_context(request, here, "found") | {
        "text": made.text[:SHOWN],
        "is_cut": len(made.text) > SHOWN,
        "counts": made.counts,
        "is_empty": not made.counts,
        "may_import": request.allows(Permission.EXTERNAL_SECRET_MANAGE, cluster=cluster),
        "who_may_import": who_may(Permission.EXTERNAL_SECRET_MANAGE),
    }
    return pages.render_page(request, "external_secrets/export.html", context)


class ImportForm(forms.Form):
    """YAML, pasted or uploaded. Clean, it has `text`."""

    yaml = forms.CharField(
        label="YAML",
        strip=False,
        error_messages={"required": "Paste YAML, or choose its file."},
        widget=SealedTextarea(attrs={"rows": 14, "spellcheck": "false", "autocomplete": "off"}),
        help_text="ExternalSecrets, the stores that they read from, and the workloads that use their Secrets. "
        "No Secrets: an access holds the credential.",
    )
    file = forms.FileField(label="Or upload the file", required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "text" not in cleaned:
            cleaned["text"] = pasted_or_uploaded(self, "yaml", yamls.LARGEST)
        return cleaned


@sensitive_post_parameters("yaml")
@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("GET", "HEAD", "POST"))
def import_(request: OrgRequest, cluster: str) -> HttpResponse:
    """Take YAML, show what would become of it, and link what was chosen."""
    here = clusters.find(request, cluster)
    if request.method != "POST":
        return _page(request, here, ImportForm())
    kept = request.POST.get("kept", "")
    if kept:
        try:
            sources = importing.unpack(signing.loads(kept, salt=_SALT))
        except signing.BadSignature:
            return _page(
                request, here, ImportForm(), problem="It did not come through. Paste it again.", status=422
            )
        return _planned(request, here, sources, [])
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, here, form, status=422)
    parsed = importing.parse(form.cleaned_data["text"])
    mistakes = sorted(parsed.mistakes + parsed.values) or _nothing(parsed)
    if mistakes:
        return _page(request, here, form, mistakes=mistakes, status=422)
    return _planned(request, here, parsed.sources(), parsed.ignored)


def _planned(
    request: OrgRequest, here: Cluster, sources: planning.Sources, ignored: list[Mistake]
) -> HttpResponse:
    # What was pasted does not come back: a workload's variables may be set to anything.
    kept = signing.dumps(importing.pack(sources), salt=_SALT, compress=True)
    if len(kept) > LARGEST_KEPT:
        much = Mistake(0, "This is too much for one import. Import it in parts.")
        return _page(request, here, ImportForm(), mistakes=[much], status=422)
    plan = planning.plan(here, sources, found_views.chosen(request.POST), lookup.limits(request, here))
    problem = ""
    if request.POST.get("then") == "take":
        made, problem = found_views.take(request, here, plan, "external_secret.imported")
        if made:
            pages.toast(
                request, f"{made} secret{' is' if made == 1 else 's are'} linked. Deploy {here} next."
            )
            kwargs = {"org": request.organization.slug, "cluster": here.name}
            return pages.go_to(request, reverse("clusters:changes", kwargs=kwargs))
    shown = found_views.plan_context(plan, request.POST, problem) | {"kept": kept, "ignored": ignored}
    return _page(request, here, ImportForm(), status=422 if problem else 200, **shown)


def _nothing(parsed: Parsed) -> list[Mistake]:
    if parsed.externals:
        return []
    return [*parsed.ignored, Mistake(0, "There is no ExternalSecret in it that could become a link.")]


def _page(
    request: OrgRequest, here: Cluster, form: ImportForm, *, status: int = 200, **shown: Any
) -> HttpResponse:
    context = clusters.page_context(request, here, "found") | {
        "form": form,
        "may_add": request.allows(Permission.ACCESS_MANAGE, cluster=here.name),
        **shown,
    }
    return pages.render_page(request, "external_secrets/import.html", context, status=status)
