from django.urls import path

from clusters.deploy_urls import deploy_urls
from clusters.rotations.urls import rotation_urls
from clusters.views import (
    cloud,
    clusters,
    connect,
    connect_found,
    danger,
    health,
    listing,
    services,
    settings,
)

app_name = "clusters"
urlpatterns = [
    path("clusters/", listing.index, name="index"),
    path("clusters/connect/", connect.choose, name="connect"),
    path("clusters/connect/kubeconfig/", connect.by_kubeconfig, name="connect_kubeconfig"),
    path("clusters/connect/credential/", connect_found.by_credential, name="connect_credential"),
    path("clusters/connect/credential/clusters/", connect_found.found, name="connect_found"),
    path("clusters/connect/<uuid:draft>/", connect.go_on, name="connect_draft"),
    path("clusters/<slug:cluster>/", clusters.overview, name="overview"),
    path("clusters/<slug:cluster>/services/", services.index, name="services"),
    path("clusters/<slug:cluster>/services/refresh/", services.refresh, name="refresh_services"),
    path("clusters/<slug:cluster>/health/", health.health, name="health"),
    path("clusters/<slug:cluster>/settings/", settings.settings, name="settings"),
    path("clusters/<slug:cluster>/cloud/", cloud.cloud, name="cloud"),
    path("clusters/<slug:cluster>/sign-in/", cloud.sign_in, name="sign_in"),
    path("clusters/<slug:cluster>/danger/", danger.danger, name="danger"),
    *deploy_urls,
    *rotation_urls,
]
