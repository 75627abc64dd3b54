"""One object of each kind in one organization, and the pages that show them."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from accesses.models import AccessDraft
from accounts.audit import services as audit
from accounts.encryption import keys
from accounts.models import ApiToken, AuditView, Delivery, EncryptionKey
from accounts.roles import Permission as P
from clusters.models import ConnectDraft, Deploy, Rotation
from config.urls import organization_urls
from credentials import issuer
from tests import factories

# url name → the permission that its door asks for
PAGES: dict[str, P] = {
    "palette": P.ORGANIZATION_VIEW,
    "accounts:organization": P.ORGANIZATION_VIEW,
    "accounts:settings": P.ORGANIZATION_VIEW,
    "accounts:rename": P.ORGANIZATION_MANAGE,
    "accounts:default_tags": P.ORGANIZATION_MANAGE,
    "accounts:transfer": P.ORGANIZATION_MANAGE,
    "accounts:leave": P.ORGANIZATION_VIEW,
    "accounts:delete_organization": P.ORGANIZATION_MANAGE,
    "accounts:team": P.MEMBER_VIEW,
    "accounts:who_may": P.MEMBER_VIEW,
    "accounts:member": P.MEMBER_VIEW,
    "accounts:member_roles": P.MEMBER_MANAGE,
    "accounts:member_remove": P.MEMBER_MANAGE,
    "accounts:invite": P.MEMBER_MANAGE,
    "accounts:invitation_resend": P.MEMBER_MANAGE,
    "accounts:invitation_revoke": P.MEMBER_MANAGE,
    "accounts:roles": P.MEMBER_VIEW,
    "accounts:role_new": P.ROLE_MANAGE,
    "accounts:role_reach": P.ROLE_MANAGE,
    "accounts:role": P.ROLE_MANAGE,
    "accounts:role_delete": P.ROLE_MANAGE,
    "accounts:audit": P.AUDIT_VIEW,
    "accounts:sign_in_rules": P.ORGANIZATION_MANAGE,
    "accounts:change_sign_in_rules": P.ORGANIZATION_MANAGE,
    "accounts:test_sign_in": P.ORGANIZATION_MANAGE,
    "accounts:remove_identity_provider": P.ORGANIZATION_MANAGE,
    "accounts:unlink_identity": P.ORGANIZATION_MANAGE,
    "accounts:audit_export": P.AUDIT_VIEW,
    "accounts:audit_digests": P.AUDIT_VIEW,
    "accounts:audit_event": P.AUDIT_VIEW,
    "accounts:audit_view_new": P.AUDIT_VIEW,
    "accounts:audit_view": P.AUDIT_VIEW,
    "accounts:audit_settings": P.AUDIT_MANAGE,
    "accounts:tokens": P.ORGANIZATION_VIEW,
    "accounts:new_token": P.ORGANIZATION_VIEW,
    "accounts:token": P.ORGANIZATION_VIEW,
    "accounts:rotate_token": P.ORGANIZATION_VIEW,
    "accounts:revoke_token": P.ORGANIZATION_VIEW,
    "accounts:notifications": P.CLUSTER_VIEW,
    "accounts:notification_new": P.NOTIFICATION_MANAGE,
    "accounts:notification": P.NOTIFICATION_MANAGE,
    "accounts:notification_edit": P.NOTIFICATION_MANAGE,
    "accounts:notification_delete": P.NOTIFICATION_MANAGE,
    "accounts:notification_test": P.NOTIFICATION_MANAGE,
    "accounts:notification_pause": P.NOTIFICATION_MANAGE,
    "accounts:notification_secret": P.NOTIFICATION_MANAGE,
    "accounts:notification_replay": P.NOTIFICATION_MANAGE,
    "accounts:notification_send_again": P.NOTIFICATION_MANAGE,
    "credentials:index": P.CREDENTIAL_VIEW,
    "credentials:new": P.CREDENTIAL_MANAGE,
    "credentials:detail": P.CREDENTIAL_VIEW,
    "credentials:download": P.CREDENTIAL_MANAGE,
    "credentials:usage": P.CREDENTIAL_VIEW,
    "credentials:check": P.CREDENTIAL_MANAGE,
    "credentials:reminders": P.CREDENTIAL_MANAGE,
    "credentials:edit": P.CREDENTIAL_MANAGE,
    "credentials:delete": P.CREDENTIAL_MANAGE,
    "clusters:index": P.CLUSTER_VIEW,
    "clusters:connect": P.CLUSTER_MANAGE,
    "clusters:connect_kubeconfig": P.CLUSTER_MANAGE,
    "clusters:connect_credential": P.CLUSTER_MANAGE,
    "clusters:connect_found": P.CLUSTER_MANAGE,
    "clusters:connect_draft": P.CLUSTER_MANAGE,
    "clusters:overview": P.CLUSTER_VIEW,
    "clusters:services": P.CLUSTER_VIEW,
    "clusters:refresh_services": P.CLUSTER_VIEW,
    "clusters:health": P.CLUSTER_VIEW,
    "clusters:settings": P.CLUSTER_MANAGE,
    "clusters:cloud": P.CLUSTER_MANAGE,
    "clusters:sign_in": P.CLUSTER_MANAGE,
    "clusters:danger": P.CLUSTER_MANAGE,
    "built_in:settings": P.ORGANIZATION_MANAGE,
    "accesses:add_ons": P.ACCESS_VIEW,
    "accesses:operator": P.ACCESS_VIEW,
    "accesses:upgrade_operator": P.ACCESS_MANAGE,
    "accesses:prove_operator": P.ACCESS_MANAGE,
    "accesses:operator_endpoint": P.ACCESS_MANAGE,
    "accesses:uninstall_operator": P.CLUSTER_MANAGE,
    "accesses:new": P.ACCESS_MANAGE,
    "accesses:discard": P.ACCESS_MANAGE,
    "accesses:wizard": P.ACCESS_MANAGE,
    "accesses:policy": P.ACCESS_VIEW,
    "accesses:detail": P.ACCESS_VIEW,
    "accesses:edit": P.ACCESS_MANAGE,
    "accesses:writing": P.ACCESS_MANAGE,
    "accesses:test": P.ACCESS_MANAGE,
    "accesses:delete": P.ACCESS_MANAGE,
    "external_secrets:browse": P.SECRET_BROWSE,
    "external_secrets:secret": P.SECRET_BROWSE,
    "external_secrets:new": P.SECRET_WRITE,
    "external_secrets:read_again": P.EXTERNAL_SECRET_MANAGE,
    "external_secrets:version": P.SECRET_WRITE,
    "external_secrets:tags": P.SECRET_WRITE,
    "external_secrets:delete": P.SECRET_WRITE,
    "external_secrets:restore": P.SECRET_WRITE,
    "external_secrets:refresh": P.SECRET_BROWSE,
    "external_secrets:link": P.EXTERNAL_SECRET_MANAGE,
    "external_secrets:bulk": P.EXTERNAL_SECRET_MANAGE,
    "external_secrets:edit": P.EXTERNAL_SECRET_MANAGE,
    "external_secrets:namespace": P.EXTERNAL_SECRET_VIEW,
    "external_secrets:relocate": P.EXTERNAL_SECRET_MANAGE,
    "external_secrets:of_cluster": P.EXTERNAL_SECRET_VIEW,
    "external_secrets:linked": P.EXTERNAL_SECRET_VIEW,
    "external_secrets:unlink": P.EXTERNAL_SECRET_MANAGE,
    "external_secrets:sync": P.EXTERNAL_SECRET_MANAGE,
    "external_secrets:sync_failed": P.EXTERNAL_SECRET_MANAGE,
    "external_secrets:state": P.EXTERNAL_SECRET_VIEW,
    "external_secrets:service": P.EXTERNAL_SECRET_VIEW,
    "external_secrets:usage": P.EXTERNAL_SECRET_VIEW,
    "external_secrets:move": P.EXTERNAL_SECRET_MANAGE,
    "external_secrets:found": P.EXTERNAL_SECRET_VIEW,
    "external_secrets:take_over": P.EXTERNAL_SECRET_MANAGE,
    "external_secrets:export": P.EXTERNAL_SECRET_VIEW,
    "external_secrets:import": P.EXTERNAL_SECRET_MANAGE,
    "clusters:all_deploys": P.DEPLOY_VIEW,
    "clusters:deploys": P.DEPLOY_VIEW,
    "clusters:deploy": P.DEPLOY_VIEW,
    "clusters:deploy_log": P.DEPLOY_VIEW,
    "clusters:request_deploy": P.DEPLOY_RUN,
    "clusters:changes": P.DEPLOY_VIEW,
    "clusters:look": P.DEPLOY_RUN,
    "clusters:compare": P.DEPLOY_VIEW,
    "clusters:cancel_deploy": P.DEPLOY_RUN,
    "clusters:retry_deploy": P.DEPLOY_RUN,
    "clusters:rotate": P.CREDENTIAL_MANAGE,
    "clusters:rotation": P.CREDENTIAL_VIEW,
    "clusters:rotation_deploy": P.DEPLOY_RUN,
    "clusters:rotation_ask": P.CREDENTIAL_MANAGE,
    "clusters:rotation_retire": P.CREDENTIAL_MANAGE,
    "clusters:rotation_take_back": P.CREDENTIAL_MANAGE,
}


def walk(patterns: list[URLPattern | URLResolver], namespace: str = "") -> dict[str, URLPattern]:
    found: dict[str, URLPattern] = {}
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            found |= walk(pattern.url_patterns, inner)
        else:
            found[f"{namespace}{pattern.name}"] = pattern
    return found


# Drafts hold what one person has just typed, and are nobody else's.
TOKENS = {"accounts:token", "accounts:rotate_token", "accounts:revoke_token"}
PERSONAL = TOKENS | {"clusters:connect_draft", "accesses:wizard", "accesses:discard"}
VIEWS = walk(organization_urls)


@dataclass
class World:
    """One object of each kind, and the arguments that name them in URLs."""

    arguments: dict[str, Any]

    def url(self, name: str) -> str:
        """Return a page's address; what a page calls an argument is looked up before what its app does."""
        wanted, app = set(VIEWS[name].pattern.converters), name.split(":")[0]
        given = {key: self.arguments.get((name, key)) or self.arguments[app, key] for key in wanted}
        return reverse(name, kwargs={"org": "acme"} | given)


@pytest.fixture
def world(organization: Any, owner: Any) -> World:
    # As a console that has started does.
    issuer.prepare()
    EncryptionKey.objects.get_or_create(pk=keys.newest())
    cluster = factories.make_cluster(organization=organization, name="prod")
    service = factories.make_service(cluster=cluster, namespace="shop")
    access = factories.make_access(cluster=cluster, name="aws", namespaces=["shop"])
    link = factories.make_link(service=service, access=access)
    # What is linked for a whole namespace has no service; every page bears it.
    factories.make_link(
        service=None, access=access, namespace=service.namespace, container="", variable="", takes="keys"
    )
    deploy = Deploy.objects.create(
        cluster=cluster, number=1, by_name="x", status="failed", finished_at=service.seen_at
    )
    credential = factories.make_cloud_credential(organization=organization, name="aws-prod")
    draft = AccessDraft.objects.create(cluster=cluster, by=owner)
    connecting = ConnectDraft.objects.create(
        organization=organization, by=owner, kubeconfig=factories.KUBECONFIG, contexts=["one", "two"]
    )
    factories.make_token(owner, organization, name="ci")
    destination = factories.make_destination(organization=organization, name="on-call")
    delivery = Delivery.objects.create(
        destination=destination, first=1, last=1, events=1, milliseconds=1, outcome="delivered"
    )
    view = AuditView.objects.create(organization=organization, name="Deploys", query="action=deploy.%2A")
    event = audit.record(
        organization=organization, by=owner, action="cluster.connected", target=cluster, details={}
    )
    everywhere = {"cluster": cluster.name}
    arguments: dict[tuple[str, str], Any] = {("clusters", "number"): deploy.number}
    arguments["clusters", "draft"] = connecting.pk
    for app in ("clusters", "accesses", "external_secrets"):
        arguments |= {(app, key): value for key, value in everywhere.items()}
    arguments |= {
        ("accesses", "access"): access.name,
        ("accesses", "draft"): draft.pk,
        ("accesses", "step"): "provider",
        ("external_secrets", "service"): service.pk,
        ("external_secrets", "link"): link.pk,
        ("external_secrets", "namespace"): service.namespace,
        ("external_secrets", "access"): access.pk,
        ("external_secrets:usage", "access"): access.name,
        ("external_secrets:move", "access"): access.name,
        ("credentials", "credential"): credential.name,
        ("credentials", "kind"): "aws.static",
        ("credentials", "file"): "policy.json",
        ("clusters", "credential"): credential.name,
        ("clusters", "rotation"): Rotation.objects.create(
            credential=credential, started_by="x", status="done"
        ).pk,
        ("accounts", "membership"): owner.memberships.get().pk,
        ("accounts", "invitation"): factories.make_invitation(organization).pk,
        ("accounts", "role"): factories.make_role(organization, clusters=["staging-*"]).pk,
        ("accounts", "token"): ApiToken.objects.get(membership__user=owner).pk,
        ("accounts", "destination"): destination.pk,
        ("accounts", "delivery"): delivery.pk,
        ("accounts", "sequence"): event.sequence,
        ("accounts", "view"): view.pk,
    }
    return World(arguments)


def ask(client: Client, name: str, url: str) -> int:
    if "GET" in VIEWS[name].callback.methods:  # type: ignore[attr-defined]
        return client.get(url).status_code
    return client.post(url).status_code
