from django.urls import path

from accesses.views import accesses, edit, operator, policy, wizard, writing

app_name = "accesses"
urlpatterns = [
    path("clusters/<slug:cluster>/add-ons/", accesses.add_ons, name="add_ons"),
    path("clusters/<slug:cluster>/add-ons/operator/", operator.operator, name="operator"),
    path("clusters/<slug:cluster>/add-ons/operator/upgrade/", operator.upgrade, name="upgrade_operator"),
    path("clusters/<slug:cluster>/add-ons/operator/prove/", operator.prove, name="prove_operator"),
    path("clusters/<slug:cluster>/add-ons/operator/endpoint/", operator.endpoint, name="operator_endpoint"),
    path(
        "clusters/<slug:cluster>/add-ons/operator/uninstall/", operator.uninstall, name="uninstall_operator"
    ),
    path("clusters/<slug:cluster>/secret-managers/new/", wizard.new, name="new"),
    path("clusters/<slug:cluster>/secret-managers/new/<uuid:draft>/discard/", wizard.discard, name="discard"),
    path("clusters/<slug:cluster>/secret-managers/new/<uuid:draft>/<slug:step>/", wizard.step, name="wizard"),
    path("clusters/<slug:cluster>/secret-managers/policy/", policy.policy, name="policy"),
    path("clusters/<slug:cluster>/secret-managers/<slug:access>/", accesses.detail, name="detail"),
    path("clusters/<slug:cluster>/secret-managers/<slug:access>/edit/", edit.edit, name="edit"),
    path("clusters/<slug:cluster>/secret-managers/<slug:access>/writing/", writing.show, name="writing"),
    path("clusters/<slug:cluster>/secret-managers/<slug:access>/test/", accesses.test, name="test"),
    path("clusters/<slug:cluster>/secret-managers/<slug:access>/delete/", accesses.delete, name="delete"),
]
