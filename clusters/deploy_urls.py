from django.urls import path

from clusters.views import deploys

deploy_urls = [
    path("deploys/", deploys.of_organization, name="all_deploys"),
    path("clusters/<slug:cluster>/deploys/", deploys.of_cluster, name="deploys"),
    path("clusters/<slug:cluster>/deploy/", deploys.request_deploy, name="request_deploy"),
    path("clusters/<slug:cluster>/deploys/<int:number>/", deploys.show, name="deploy"),
    path("clusters/<slug:cluster>/deploys/<int:number>/log.txt", deploys.download, name="deploy_log"),
]
