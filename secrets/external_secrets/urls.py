from django.urls import path

from external_secrets.views import browse, linked, linking, secret, service, usage

app_name = "external_secrets"
urlpatterns = [
    path("secrets/", browse.browse, name="browse"),
    path("secrets/show/", secret.secret, name="secret"),
    path("secrets/inventories/<uuid:access>/refresh/", browse.refresh, name="refresh"),
    path("secrets/link/", linking.link, name="link"),
    path("secrets/linked/", linked.linked, name="linked"),
    path("secrets/linked/<uuid:link>/delete/", linking.unlink, name="unlink"),
    path("clusters/<slug:cluster>/services/<uuid:service>/", service.show, name="service"),
    path("clusters/<slug:cluster>/secret-managers/<slug:access>/usage/", usage.usage, name="usage"),
    path("clusters/<slug:cluster>/secret-managers/<slug:access>/move/", usage.move, name="move"),
]
