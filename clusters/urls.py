from clusters.deploy_urls import deploy_urls

app_name = "clusters"
urlpatterns = [*deploy_urls]
