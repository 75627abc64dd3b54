from django.urls import path

from clusters.views import changes, control, deploys, history

deploy_urls = [
    path("deploys/", history.of_organization, name="all_deploys"),
    path("clusters/<slug:cluster>/changes/", changes.show, name="changes"),
    path("clusters/<slug:cluster>/changes/look/", changes.look, name="look"),
    path("clusters/<slug:cluster>/deploy/", control.request_deploy, name="request_deploy"),
    path("clusters/<slug:cluster>/deploys/", history.of_cluster, name="deploys"),
    path("clusters/<slug:cluster>/deploys/compare/", history.compare, name="compare"),
    path("clusters/<slug:cluster>/deploys/<int:number>/", deploys.show, name="deploy"),
    path("clusters/<slug:cluster>/deploys/<int:number>/cancel/", control.cancel, name="cancel_deploy"),
    path("clusters/<slug:cluster>/deploys/<int:number>/retry/", control.retry, name="retry_deploy"),
    path("clusters/<slug:cluster>/deploys/<int:number>/log.txt", deploys.download, name="deploy_log"),
]
