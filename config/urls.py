"""Every URL. Pages of an organization live below /o/<org>/ and go through `org_view`."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from accesses.setup import cloudformation, google_script
from accounts.invitations import urls as invitations
from accounts.organizations import urls as organization_pages
from accounts.organizations import views as organizations
from accounts.profile import urls as profile
from accounts.sign_in import urls as sign_in
from accounts.single_sign_on import urls as single_sign_on
from clusters.joining import asking, manifest
from config import health, palette, theme
from config.api import root as api
from credentials import issuer, published
from credentials.clouds.aws import stacks
from credentials.clouds.azure import script as azure_script
from credentials.clouds.google import script as google_federation

handler500 = "config.errors.server_error"

organization_urls: list[URLPattern | URLResolver] = [
    # First what is asked for at each keystroke.
    path("", include("external_secrets.urls")),
    path("", include("accounts.urls")),
    path("go-to/", palette.go_to, name="palette"),
    path("", include("credentials.urls")),
    path("", include("clusters.urls")),
    path("", include("built_in.urls")),
    path("", include("accesses.urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", organizations.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path(f"setup/{cloudformation.FILE}", published.view(cloudformation.TEMPLATE), name="setup_template"),
    path(f"setup/{stacks.CONSOLE.file}", published.view(stacks.CONSOLE), name="setup_console_template"),
    path(f"setup/{google_script.FILE}", published.view(google_script.SCRIPT), name="setup_google_script"),
    path(
        f"setup/{google_federation.FILE}",
        published.view(google_federation.SCRIPT),
        name="setup_google_federation",
    ),
    path(f"setup/{azure_script.FILE}", published.view(azure_script.SCRIPT), name="setup_azure_script"),
    path(f"setup/{manifest.FILE}", asking.page, name="setup_manifest"),
    path(".well-known/openid-configuration", issuer.document, name="issuer"),
    path(".well-known/jwks.json", issuer.published, name="issuer_keys"),
    path("theme/", theme.choose, name="theme"),
    path("accounts/", include(sign_in.urlpatterns)),
    path("account/", include(profile.urlpatterns)),
    path("", include(single_sign_on.outside)),
    path("api/", include(api.urlpatterns)),
    path("gateway/", include("accesses.gateway.urls")),
    *organization_pages.personal,
    *invitations.personal,
    path("o/<slug:org>/", include(organization_urls)),
]

if settings.STYLEGUIDE:
    from config import styleguide

    urlpatterns.append(path("styleguide/", styleguide.show, name="styleguide"))
