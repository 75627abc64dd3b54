from django.urls import path

from external_secrets.views import (
    browse,
    bulk,
    exchange,
    found,
    linked,
    linking,
    namespace,
    secret,
    service,
    sync,
    usage,
)

app_name = "external_secrets"
urlpatterns = [
    path("secrets/", browse.browse, name="browse"),
    path("secrets/show/", secret.secret, name="secret"),
    path("secrets/inventories/<uuid:access>/refresh/", browse.refresh, name="refresh"),
    path("secrets/link/", linking.link, name="link"),
    path("secrets/bulk/", bulk.bulk, name="bulk"),
    path("secrets/linked/", linked.linked, name="linked"),
    path("secrets/linked/relocate/", bulk.relocate, name="relocate"),
    path("secrets/linked/<uuid:link>/edit/", linking.edit, name="edit"),
    path("secrets/linked/<uuid:link>/delete/", linking.unlink, name="unlink"),
    path("clusters/<slug:cluster>/namespaces/<slug:namespace>/", namespace.show, name="namespace"),
    path("clusters/<slug:cluster>/secrets/", linked.of_cluster, name="of_cluster"),
    path("clusters/<slug:cluster>/found/", found.found, name="found"),
    path("clusters/<slug:cluster>/found/take-over/", found.take_over, name="take_over"),
    path("clusters/<slug:cluster>/export/", exchange.export, name="export"),
    path("clusters/<slug:cluster>/import/", exchange.import_, name="import"),
    path("secrets/linked/<uuid:link>/sync/", sync.sync, name="sync"),
    path("secrets/linked/<uuid:link>/state/", sync.state, name="state"),
    path("clusters/<slug:cluster>/linked/sync/", sync.sync_failed, name="sync_failed"),
    path("clusters/<slug:cluster>/services/<uuid:service>/", service.show, name="service"),
    path("clusters/<slug:cluster>/secret-managers/<slug:access>/usage/", usage.usage, name="usage"),
    path("clusters/<slug:cluster>/secret-managers/<slug:access>/move/", usage.move, name="move"),
]
