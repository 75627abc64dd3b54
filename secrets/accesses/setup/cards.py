"""What the numbered cards of templates/accesses/setup/ show for one access or draft: `{% include … with setup=setup only %}`."""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import reverse

from accesses.providers import PROVIDERS, Provider
from accesses.setup import cloudformation, generator, google_script, policies
from credentials.clouds.aws import stacks

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

type Setup = dict[str, Any]

# What the operator's own ServiceAccount is called, as its chart does it.
OPERATOR = "external-secrets"


def context(access: "Access | AccessDraft") -> Setup:
    """Return what the cards of its method show; empty where a method needs no steps outside the console."""
    provider = PROVIDERS.get(access.provider)
    if provider is None:
        return {}
    if make := _MAKERS.get((provider.cloud, access.method)):
        return make(access)
    method = provider.method(access.method)
    if method is None or not method.setup:
        return {}
    return _plain(access, provider) | (provider.cards(access) if provider.cards else {})


def _common(access: "Access | AccessDraft") -> Setup:
    cluster = access.cluster
    return {
        "cluster": cluster.name,
        "issuer": cluster.issuer,
        "namespace": cluster.operator_namespace,
        "service_account": access.service_account,
        "subject": f"system:serviceaccount:{cluster.operator_namespace}:{access.service_account}",
        "operator": OPERATOR,
        "generator_url": generator.url(access),
    }


def _plain(access: "Access | AccessDraft", provider: Provider) -> Setup:
    """Return what holds for every provider: who asks, and what it has to be allowed."""
    return {
        **_common(access),
        "policy": provider.policy,
        "policy_note": provider.policy_note,
        **access.configuration,
    }


def _region(access: "Access | AccessDraft") -> str:
    return str(access.configuration.get("region") or access.cluster.region or "us-east-1")


def _document(access: "Access | AccessDraft") -> policies.Document:
    """Return the policy for what the access sees, as narrow as it can be: a prefix needs the account to be named."""
    account, region = policies.account_of(access), access.configuration.get("region", "")
    if access.prefix and account and region:
        # What IAM cannot say of a name stays as wide as the identity.
        with contextlib.suppress(ValidationError, policies.TooLarge):
            return policies.document(
                access.provider, place=policies.Place(account, region), prefixes=[access.prefix]
            )
    return policies.document(access.provider)


def _policy(access: "Access | AccessDraft") -> Setup:
    """Return the policy for what it sees, and why each action is in it."""
    found = _document(access)
    return {
        "policy": policies.text(found),
        "policy_size": policies.size(found),
        "actions": policies.ACTIONS[access.provider],
        "policy_note": policies.note(access.provider),
    }


def _aws_role(access: "Access | AccessDraft") -> Setup:
    cluster, region = access.cluster, _region(access)
    # Another cloud's cluster is not known to the account yet; an EKS cluster often is.
    foreign = cluster.cloud != "aws"
    parameters = cloudformation.parameters(
        provider=access.provider,
        issuer=cluster.issuer,
        namespace=cluster.operator_namespace,
        service_account=access.service_account,
        role_name=cloudformation.role_name(access.service_account),
        create_provider=foreign,
    )
    stack = cloudformation.stack_name(access.service_account)
    return {
        **_common(access),
        **_policy(access),
        **_template(region, stack, parameters),
        "region": region,
        "account": "" if foreign else cluster.account,
        "foreign": foreign,
        "stack_name": stack,
        "role_name": parameters["RoleName"],
        "deploy_command": cloudformation.deploy_command(
            region=region, stack_name=stack, parameters=parameters
        ),
        "output_command": cloudformation.output_command(region=region, stack_name=stack),
        "trust": _trust(access, region),
    }


def _template(region: str, stack: str, parameters: dict[str, str]) -> Setup:
    """Return the template itself, and the link where this very template was published."""
    published = cloudformation.published(region)
    current = published if published and cloudformation.is_current(published) else None
    return {
        "quick_create_url": cloudformation.quick_create_url(
            template_url=current.url, region=region, stack_name=stack, parameters=parameters
        )
        if current
        else "",
        "outdated": published is not None and current is None,
        "publish_command": stacks.PUBLISH.format(region=published.region if published else region),
        "template": cloudformation.text(),
        "template_digest": cloudformation.digest(),
        "template_url": reverse("setup_template"),
        "template_file": cloudformation.FILE,
    }


def _trust(access: "Access | AccessDraft", region: str) -> str:
    """Return the trust policy to compare a role with, when the account is known."""
    cluster = access.cluster
    if not cluster.issuer or cluster.cloud != "aws" or not cluster.account:
        return ""
    provider = policies.provider_arn(policies.Place(cluster.account, region), cluster.issuer)
    subject = f"system:serviceaccount:{cluster.operator_namespace}:{access.service_account}"
    return policies.text(policies.trust(provider, cluster.issuer, subject))


def _aws_static(access: "Access | AccessDraft") -> Setup:
    host = cloudformation.console(_region(access))
    return {
        **_common(access),
        **_policy(access),
        "users_url": f"https://{host}/iam/home#/users/create",
        "inline_limit": policies.LARGEST_FOR_USERS,
    }


def _aws_ambient(access: "Access | AccessDraft") -> Setup:
    cluster = access.cluster
    return {
        **_common(access),
        **_policy(access),
        "region": _region(access),
        "trust": policies.text(policies.pod_identity_trust(cluster.operator_namespace, OPERATOR)),
        "association": cloudformation.pod_identity_command(
            region=cluster.region or _region(access),
            cluster=cluster.cloud_name or cluster.name,
            namespace=cluster.operator_namespace,
            service_account=OPERATOR,
        ),
        "restart": f"kubectl -n {cluster.operator_namespace} rollout restart deployment {OPERATOR}",
    }


def _project(access: "Access | AccessDraft") -> str:
    """Return the project of the secrets; until it is entered, the cluster's own."""
    cluster = access.cluster
    own = cluster.account if cluster.cloud == "gcp" else ""
    return str(access.configuration.get("project") or own)


def _gcp_key(access: "Access | AccessDraft") -> Setup:
    project = _project(access)
    return {
        **_common(access),
        "project": project,
        "role": google_script.ROLE,
        "account": google_script.ACCOUNT,
        "shell_url": "https://shell.cloud.google.com/?show=terminal",
        "command": google_script.command(settings.BASE_URL, project),
        "listing": google_script.listing(project),
        "script": google_script.SCRIPT.text,
        "script_digest": google_script.SCRIPT.digest,
        "script_url": reverse("setup_google_script"),
        "script_file": google_script.FILE,
        "permissions": google_script.PERMISSIONS,
    }


def _gcp_federation(access: "Access | AccessDraft") -> Setup:
    common, project = _common(access), _project(access)
    # A pool of its own for each access: another access's ServiceAccount has no place in its condition.
    pool = f"keyhaven-{access.pk.hex[:8]}"
    return {
        **common,
        "project": project,
        "pool": pool,
        "listing": google_script.federation_listing(
            project, pool, "cluster", common["issuer"], common["subject"]
        ),
        "keys_command": "kubectl get --raw /openid/v1/jwks > keys.json",
    }


def _gcp_workload_identity(access: "Access | AccessDraft") -> Setup:
    cluster, project = access.cluster, _project(access)
    account = str(access.configuration.get("email") or f"SERVICE_ACCOUNT@{project}.iam.gserviceaccount.com")
    return {
        **_common(access),
        "project": project,
        "account": account,
        "listing": google_script.workload_identity_listing(
            project, cluster.account, account, cluster.operator_namespace, access.service_account
        ),
    }


def _gcp_ambient(access: "Access | AccessDraft") -> Setup:
    cluster, project = access.cluster, _project(access)
    return {
        **_common(access),
        "project": project,
        "listing": google_script.ambient_listing(
            project, cluster.account or project, cluster.operator_namespace, OPERATOR
        ),
    }


_MAKERS: dict[tuple[str, str], Callable[["Access | AccessDraft"], Setup]] = {
    ("aws", "role"): _aws_role,
    ("aws", "federation"): _aws_role,
    ("aws", "static"): _aws_static,
    ("aws", "ambient"): _aws_ambient,
    ("gcp", "key"): _gcp_key,
    ("gcp", "federation"): _gcp_federation,
    ("gcp", "workload-identity"): _gcp_workload_identity,
    ("gcp", "ambient"): _gcp_ambient,
}
