"""Plain builders: each makes one row, with what is not given filled in."""

import datetime
import hashlib
import itertools
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accesses.models import Access
from accounts.models import (
    ApiToken,
    CustomRole,
    Destination,
    Identity,
    IdentityProvider,
    Invitation,
    Membership,
    Organization,
    User,
)
from accounts.tokens import services as tokens
from clusters.models import Cluster, Service
from credentials.models import CloudCredential
from external_secrets.models import ExternalSecret, InventoryEntry

_number = itertools.count(1)

PASSWORD = "correct horse battery"
KUBECONFIG = "apiVersion: v1\nkind: Config\n"


def make_user(**fields: Any) -> User:
    number = next(_number)
    fields.setdefault("name", f"Person {number}")
    fields.setdefault("email", f"person-{number}@example.com")
    return User.objects.create_user(password=fields.pop("password", PASSWORD), **fields)


def make_organization(**fields: Any) -> Organization:
    fields.setdefault("slug", f"organization-{next(_number)}")
    fields.setdefault("name", fields["slug"].title())
    return Organization.objects.create(**fields)


def make_member(organization: Organization, role: str, **fields: Any) -> User:
    fields.setdefault("name", f"{role.title()} of {organization.name}")
    user = make_user(**fields)
    Membership.objects.create(organization=organization, user=user, roles=[role])
    return user


def make_token(user: User, organization: Organization, **fields: Any) -> str:
    """Make a token of a member, with the member's own roles unless `roles` says less, and return its value."""
    membership = Membership.objects.get(user=user, organization=organization)
    value = tokens.new_value(tokens.MACHINE if user.is_machine else tokens.PERSONAL)
    custom = fields.pop("custom_roles", [])
    fields.setdefault("roles", membership.roles)
    fields.setdefault("name", f"token-{next(_number)}")
    fields.setdefault("expires_at", timezone.now() + timedelta(days=1))
    token = ApiToken.objects.create(
        membership=membership,
        prefix=value[: tokens.SHOWN],
        digest=tokens.digest_of(value),
        created_by=str(user),
        **fields,
    )
    token.custom_roles.set(custom)
    return value


def make_machine(organization: Organization, role: str, **fields: Any) -> str:
    """Make an organization's token and the machine that it acts as, and return its value."""
    user = make_member(organization, role, is_machine=True)
    return make_token(user, organization, **fields)


def make_identity_provider(**fields: Any) -> IdentityProvider:
    """Make an organization's identity provider; `domains` are those it speaks for."""
    domains = fields.pop("domains", [f"domain-{next(_number)}.example"])
    if "organization" not in fields:
        fields["organization"] = make_organization()
    fields.setdefault("issuer", "https://login.acme.example")
    fields.setdefault("client_id", "keyhaven")
    fields.setdefault("client_secret", "s" * 40)
    provider = IdentityProvider.objects.create(**fields)
    for name in domains:
        provider.domains.create(name=name)
    return provider


def make_identity(**fields: Any) -> Identity:
    if "organization" not in fields:
        fields["organization"] = make_organization()
    if "user" not in fields:
        fields["user"] = make_member(fields["organization"], "viewer")
    fields.setdefault("issuer", "https://login.acme.example")
    fields.setdefault("subject", f"subject-{next(_number)}")
    return Identity.objects.create(**fields)


def make_cluster(**fields: Any) -> Cluster:
    fields.setdefault("name", f"cluster-{next(_number)}")
    fields.setdefault("kubeconfig", KUBECONFIG)
    fields.setdefault("server", "https://127.0.0.1:6443")
    fields.setdefault("version", "v1.36.2")
    fields.setdefault("seen_at", timezone.now())
    if "organization" not in fields:
        fields["organization"] = make_organization()
    return Cluster.objects.create(**fields)


def aws_facts(account: str = "123456789012", user: str = "keyhaven") -> dict[str, str]:
    arn = f"arn:aws:iam::{account}:user/{user}"
    return {"partition": "aws", "arn": arn, "account": account, "key_id": "AKIATESTTESTTESTTEST"}


def make_cloud_credential(**fields: Any) -> CloudCredential:
    """Make a credential of AWS, unless `cloud` and what belongs to it are given."""
    fields.setdefault("name", f"credential-{next(_number)}")
    fields.setdefault("cloud", "aws")
    fields.setdefault("method", "static")
    fields.setdefault("facts", aws_facts())
    fields.setdefault("secret", {"access_key_id": "AKIATESTTESTTESTTEST", "secret_access_key": "s" * 40})
    fields.setdefault("set_at", timezone.now())
    fields.setdefault("set_by", "Person 0")
    fields.setdefault("created_by", "Person 0")
    if "organization" not in fields:
        fields["organization"] = make_organization()
    return CloudCredential.objects.create(**fields)


def make_destination(**fields: Any) -> Destination:
    """Make a webhook of deploys that nobody listens to, unless another kind and address are given."""
    fields.setdefault("name", f"destination-{next(_number)}")
    fields.setdefault("kind", "webhook")
    fields.setdefault("address", "http://127.0.0.1:1/hook")
    fields.setdefault("place", fields["address"][:300])
    fields.setdefault("secret", "khs_test")
    fields.setdefault("actions", ["deploy.succeeded", "deploy.failed", "deploy.cancelled"])
    fields.setdefault("created_by", "Person 0")
    if "organization" not in fields:
        fields["organization"] = make_organization()
    return Destination.objects.create(**fields)


def make_service(**fields: Any) -> Service:
    fields.setdefault("namespace", "shop")
    fields.setdefault("kind", "Deployment")
    fields.setdefault("name", f"api-{next(_number)}")
    fields.setdefault("seen_at", timezone.now())
    fields.setdefault("containers", [{"name": "web", "image": "shop/api:1", "env": [], "mounts": []}])
    if "cluster" not in fields:
        fields["cluster"] = make_cluster()
    return Service.objects.create(**fields)


def make_access(**fields: Any) -> Access:
    fields.setdefault("name", f"access-{next(_number)}")
    fields.setdefault("provider", "aws-secrets-manager")
    fields.setdefault("method", "static")
    fields.setdefault("configuration", {"region": "eu-west-3"})
    fields.setdefault("credential", {"access_key_id": "AKIATESTTESTTESTTEST", "secret_access_key": "s" * 40})
    fields.setdefault("namespaces", ["shop"])
    if "cluster" not in fields:
        fields["cluster"] = make_cluster()
    return Access.objects.create(**fields)


def make_link(**fields: Any) -> ExternalSecret:
    fields.setdefault("key", f"prod/secret-{next(_number)}")
    fields.setdefault("variable", f"VARIABLE_{next(_number)}")
    fields.setdefault("container", "web")
    if "service" not in fields:
        fields["service"] = make_service()
    if "access" not in fields:
        fields["access"] = make_access(cluster=fields["service"].cluster)
    fields.setdefault("cluster", fields["access"].cluster)
    if fields["service"] is not None:
        fields.setdefault("namespace", fields["service"].namespace)
    return ExternalSecret.objects.create(**fields)


def make_entry(access: Access, name: str, **fields: Any) -> InventoryEntry:
    """Make a row of an access's inventory."""
    fields.setdefault("reference", name)
    organization = access.cluster.organization_id
    return InventoryEntry.objects.create(access=access, organization_id=organization, name=name, **fields)


def make_role(organization: Organization, **fields: Any) -> CustomRole:
    """Make a custom role; it lets see clusters if nothing is given."""
    fields.setdefault("name", f"Role {next(_number)}")
    fields.setdefault("permissions", ["cluster:view"])
    return CustomRole.objects.create(organization=organization, **fields)


def make_invitation(organization: Organization, token: str = "", **fields: Any) -> Invitation:
    """Make an open invitation to a token's holder, of a viewer if nothing is given."""
    number = next(_number)
    fields.setdefault("email", f"guest-{number}@example.com")
    fields.setdefault("roles", ["viewer"])
    fields.setdefault("invited_by", "Marie Rey")
    fields.setdefault("expires_at", timezone.now() + datetime.timedelta(days=7))
    fields.setdefault("digest", hashlib.sha256((token or f"token-{number}").encode()).hexdigest())
    return Invitation.objects.create(organization=organization, **fields)
