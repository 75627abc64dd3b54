"""AWS: an IAM OIDC provider for the cluster's issuer, a role that trusts one ServiceAccount, and its inline policy."""

import json
from typing import Any

from django.core.exceptions import ValidationError

from accesses.identities import linked
from accesses.identities.base import PURPOSE
from accesses.models import Access, Identity
from accesses.providers import tokens
from accesses.providers.aws import ways as provider
from accesses.setup import policies
from clusters.addons import Manifest
from credentials import signing
from credentials.clouds import aws, errors
from credentials.models import CloudCredential

API = "iam.amazonaws.com"
PROVIDER, ROLE = "IAM OIDC provider", "IAM role"
POLICY_NAME = "keyhaven-secrets"
OURS = {"managed-by": "keyhaven"}


class NotOurs(errors.ProviderError):
    """Something of that name is there, and somebody else made it."""


def _manifest(kind: str, name: str, spec: dict[str, Any]) -> Manifest:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}


def issuer_name(issuer: str) -> str:
    """Return an issuer as IAM and trust policies name it: without its scheme."""
    return issuer.removeprefix("https://")


def provider_arn(access: Access) -> str:
    place = policies.Place(access.cluster.account, access.configuration["region"])
    return policies.provider_arn(place, access.cluster.issuer)


def trust(access: Access) -> dict[str, Any]:
    """Return the trust policy: this issuer, this audience, and exactly the access's ServiceAccount."""
    return policies.trust(provider_arn(access), access.cluster.issuer, tokens.subject(access))


def permissions(access: Access) -> dict[str, Any]:
    """Return the role's policy, as wide as the access says.

    :raises ProviderError: IAM would not take it
    """
    configuration = access.configuration
    place = policies.Place(access.cluster.account, configuration["region"])
    keys = configuration.get("kms_keys", "").split()
    try:
        narrowed: dict[str, Any] = {}
        if configuration.get("scope") == "prefixes":
            narrowed["prefixes"] = configuration.get("prefixes", "").split()
        elif configuration.get("scope") != "all":
            narrowed["linked"] = linked.of(access)
        several = linked.takes_several(access)
        return policies.document(access.provider, place=place, kms_keys=keys, several=several, **narrowed)
    except policies.TooLarge as error:
        raise errors.ProviderError(str(error), "Edit the access and choose another reach.") from None
    except ValidationError as error:
        raise errors.ProviderError(
            " ".join(error.messages), "Edit the access, or unlink that secret."
        ) from None


class Maker:
    """Makes roles in the cluster's AWS account."""

    cloud = "aws"

    def wanted(self, access: Access) -> list[Manifest]:
        name = issuer_name(access.cluster.issuer)
        return [
            _manifest(PROVIDER, name, {"arn": provider_arn(access), "audience": provider.AUDIENCE}),
            _manifest(
                ROLE,
                provider.automatic_role(access),
                {
                    "trust": _spread(trust(access)),
                    "policy": _spread(permissions(access)),
                    "tags": _tags(access),
                },
            ),
        ]

    def open(self, credential: CloudCredential, region: str) -> Any:
        return aws.client("iam", signing.session(credential), region)

    def live(self, way: Any, wanted: Manifest) -> Manifest | None:
        look = _live_provider if wanted["kind"] == PROVIDER else _live_role
        return look(way, wanted)

    def bring(self, way: Any, wanted: Manifest, live: Manifest | None) -> None:
        act = _bring_provider if wanted["kind"] == PROVIDER else _bring_role
        act(way, wanted, live)

    def facts(self, access: Access) -> dict[str, str]:
        return {
            "role_name": provider.automatic_role(access),
            "role_arn": provider.role_arn(access),
            "provider_arn": provider_arn(access),
            "region": access.configuration["region"],
        }

    def left(self, way: Any, identity: Identity) -> list[Manifest]:
        facts = identity.facts
        try:
            role = _live_role(way, _manifest(ROLE, facts["role_name"], {}))
        except NotOurs:
            role = None
        arn = facts["provider_arn"]
        issuer = _manifest(PROVIDER, arn.partition(":oidc-provider/")[2], {"arn": arn})
        ours = _is_ours(way, arn) and not _trusted(way, arn, but=facts["role_name"])
        return [one for one in (role, issuer if ours else None) if one]

    def remove(self, way: Any, left: Manifest) -> str:
        name = left["metadata"]["name"]
        if left["kind"] == PROVIDER:
            with aws.translated("iam:DeleteOpenIDConnectProvider", "IAM", ""):
                way.delete_open_id_connect_provider(OpenIDConnectProviderArn=left["spec"]["arn"])
            return ""
        with aws.translated("iam:ListAttachedRolePolicies", "IAM", ""):
            attached = way.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
            inline = way.list_role_policies(RoleName=name)["PolicyNames"]
        if attached or inline not in ([], [POLICY_NAME]):
            return f"Somebody gave the role {name} other policies; it stays until they are taken from it."
        with aws.translated("iam:DeleteRolePolicy", "IAM", ""):
            for policy in inline:
                way.delete_role_policy(RoleName=name, PolicyName=policy)
        with aws.translated("iam:DeleteRole", "IAM", ""):
            way.delete_role(RoleName=name)
        return ""


MAKER = Maker()


def _tags(access: Access) -> dict[str, str]:
    return OURS | {"keyhaven-cluster": str(access.cluster_id), "keyhaven-access": str(access.pk)}


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _read(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _spread(document: dict[str, Any]) -> dict[str, Any]:
    """Return a policy with its statements by number, so that a difference is told field by field."""
    statements = document.get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return document | {"Statement": {str(at): one for at, one in enumerate(listed, start=1)}}


def _document(spread: dict[str, Any]) -> str:
    """Return a policy as IAM takes it, of what `_spread` returned."""
    return json.dumps(spread | {"Statement": list(spread["Statement"].values())}, separators=(",", ":"))


# -- the issuer's provider ---------------------------------------------------------------------------------
def _live_provider(way: Any, wanted: Manifest) -> Manifest | None:
    try:
        with aws.translated("iam:GetOpenIDConnectProvider", "IAM", ""):
            found = way.get_open_id_connect_provider(OpenIDConnectProviderArn=wanted["spec"]["arn"])
    except errors.NotThere:
        return None
    # Other audiences are others' business.
    held = provider.AUDIENCE if provider.AUDIENCE in found["ClientIDList"] else ""
    return _manifest(PROVIDER, wanted["metadata"]["name"], wanted["spec"] | {"audience": held})


def _bring_provider(way: Any, wanted: Manifest, live: Manifest | None) -> None:
    if live is None:
        with aws.translated("iam:CreateOpenIDConnectProvider", "IAM", ""):
            url = f"https://{wanted['metadata']['name']}"
            way.create_open_id_connect_provider(Url=url, ClientIDList=[provider.AUDIENCE], Tags=_listed(OURS))
        return
    with aws.translated("iam:AddClientIDToOpenIDConnectProvider", "IAM", ""):
        way.add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=wanted["spec"]["arn"], ClientID=provider.AUDIENCE
        )


def _is_ours(way: Any, arn: str) -> bool:
    try:
        with aws.translated("iam:GetOpenIDConnectProvider", "IAM", ""):
            found = way.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    except errors.NotThere:
        return False
    return OURS.items() <= _read(found.get("Tags", [])).items()


def _trusted(way: Any, arn: str, but: str) -> bool:
    """Tell whether any other role of the account trusts the issuer: then somebody needs it."""
    with aws.translated("iam:ListRoles", "IAM", ""):
        pages = way.get_paginator("list_roles").paginate()
        roles = [role for page in pages for role in page["Roles"]]
    return any(arn in str(role["AssumeRolePolicyDocument"]) for role in roles if role["RoleName"] != but)


# -- the role --------------------------------------------------------------------------------------------------
def _live_role(way: Any, wanted: Manifest) -> Manifest | None:
    name = wanted["metadata"]["name"]
    try:
        with aws.translated("iam:GetRole", "IAM", ""):
            role = way.get_role(RoleName=name)["Role"]
    except errors.NotThere:
        return None
    tags = _read(role.get("Tags", []))
    if not OURS.items() <= tags.items():
        raise NotOurs(
            f"There is a role {name} already, and Keyhaven did not make it.",
            "Rename or remove that role; an access never takes one over.",
        )
    spec = {"trust": _spread(role["AssumeRolePolicyDocument"]), "policy": _spread(_inline(way, name))}
    kept = {key: value for key, value in tags.items() if key in wanted["spec"].get("tags", {})}
    return _manifest(ROLE, name, spec | {"tags": kept})


def _inline(way: Any, role: str) -> dict[str, Any]:
    try:
        with aws.translated("iam:GetRolePolicy", "IAM", ""):
            found: dict[str, Any] = way.get_role_policy(RoleName=role, PolicyName=POLICY_NAME)[
                "PolicyDocument"
            ]
    except errors.NotThere:
        return {}
    return found


def _bring_role(way: Any, wanted: Manifest, live: Manifest | None) -> None:
    name, spec = wanted["metadata"]["name"], wanted["spec"]
    old = live["spec"] if live else {}
    if live is None:
        with aws.translated("iam:CreateRole", "IAM", ""):
            way.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=_document(spec["trust"]),
                Description=PURPOSE,
                Tags=_listed(spec["tags"]),
            )
    elif old["trust"] != spec["trust"]:
        with aws.translated("iam:UpdateAssumeRolePolicy", "IAM", ""):
            way.update_assume_role_policy(RoleName=name, PolicyDocument=_document(spec["trust"]))
    if old.get("policy") != spec["policy"]:
        with aws.translated("iam:PutRolePolicy", "IAM", ""):
            way.put_role_policy(
                RoleName=name, PolicyName=POLICY_NAME, PolicyDocument=_document(spec["policy"])
            )
    if live is not None and old["tags"] != spec["tags"]:
        with aws.translated("iam:TagRole", "IAM", ""):
            way.tag_role(RoleName=name, Tags=_listed(spec["tags"]))
