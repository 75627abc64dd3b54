"""The policy generator's page: what an identity has to be allowed, to copy or to download."""

from django.http import HttpResponse

from accesses.providers import PROVIDERS, grouped
from accesses.setup import generator
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters.views import clusters
from config import pages


@org_view(Permission.ACCESS_VIEW)
def policy(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show the policy for the prefixes and keys of the address, or answer it as a file with `?download=1`."""
    found = clusters.find(request, cluster)
    provider = PROVIDERS.get(request.GET.get("provider", "")) or next(iter(PROVIDERS.values()))
    asked = request.GET.dict()
    form = generator.form(provider, found, asked)
    # Whoever comes without an identity, or with a prefix and no account, has not been asked for it yet.
    begun = (provider.cloud != "gcp" or "member" in asked) and "ask" not in asked
    made = form.made() if begun and form.is_valid() else None
    if made and asked.get("download") == "1":
        headers = {"Content-Disposition": f'attachment; filename="{made.file}"'}
        return HttpResponse(made.text, content_type=f"{made.kind}; charset=utf-8", headers=headers)
    if not begun:
        form.is_bound = False
        form.initial = dict(form.data)
    context = {
        "cluster": found,
        "form": form,
        "provider": provider,
        "kinds": grouped(PROVIDERS.values()),
        "made": made,
        "query": form.query() if made else "",
    }
    status = 422 if form.errors else 200
    return pages.render_page(request, "accesses/generator.html", context, part="generator", status=status)
