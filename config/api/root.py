"""Where the API hangs: one line for the calls of each resource."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path, re_path
from django.views.decorators.csrf import csrf_exempt

from accesses import api as accesses
from accesses import api_operator as operator
from accounts.audit import api as audit
from accounts.custom_roles import api as roles
from accounts.invitations import api as invitations
from accounts.members import api as members
from accounts.organizations import api as organizations
from accounts.outgoing import api as destinations
from accounts.tokens import api as tokens
from clusters import api as clusters
from clusters import api_deploys as deploys
from clusters import api_found as found
from clusters.rotations import api as rotations
from config.api import problems
from config.api.document import Api, limited
from config.api.reading import StrictParser
from credentials import api as credentials
from external_secrets.api import acts, exchange, links, moving, names, writing

api = Api(
    title="Keyhaven",
    version="1",
    description="Everything that the console does, for programs. The guide is docs/api.md.",
    urls_namespace="api",
    openapi_url="/openapi.json",
    docs_url=None,
    docs_decorator=limited,
    parser=StrictParser(),
)
problems.install(api)

for calls in (
    organizations.calls,
    members.calls,
    invitations.calls,
    roles.calls,
    tokens.calls,
    audit.calls,
    destinations.calls,
    credentials.calls,
    rotations.calls,
    clusters.calls,
    found.calls,
    deploys.calls,
    accesses.calls,
    operator.calls,
    moving.calls,
    names.calls,
    writing.calls,
    links.calls,
    acts.calls,
    exchange.calls,
):
    api.add_router("", calls.router)


@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    """Answer 404 to whatever no call is at."""
    return problems.respond(problems.Problem(404))


urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", nothing_here),
    path("v1/", api.urls),
    re_path("", nothing_here),
]
