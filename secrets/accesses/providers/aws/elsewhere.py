"""AWS's secrets of other accounts and regions: what an access is allowed to name, and what the owner has to allow."""

import copy
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from accesses.providers.aws import ways as aws
from accesses.providers.references import Note, NotReadable, Reference, Varied
from accesses.setup import policies
from credentials.clouds.aws import regions as aws_regions

if TYPE_CHECKING:
    from accesses.models import Access, StoreVariant

AUDIENCE_ANNOTATION = "eks.amazonaws.com/audience"

_READING = {
    policies.SECRETS_MANAGER: ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
    policies.PARAMETER_STORE: ["ssm:GetParameter", "ssm:GetParameters"],
}
_SERVICES = {policies.SECRETS_MANAGER: "secretsmanager", policies.PARAMETER_STORE: "ssm"}


def own(access: "Access", name: str) -> str:
    """Return what an access has of its own where an override would be: a region, a role, an audience."""
    if name == "region":
        return str(access.configuration.get("region", ""))
    if access.method in ("static", "ambient"):
        return ""
    return aws.AUDIENCE if name == "audience" else aws.role_arn(access)


def identity(access: "Access", overrides: Mapping[str, str]) -> str:
    """Return the ARN of whoever reads, as far as the console knows it."""
    if overrides.get("role_arn"):
        return overrides["role_arn"]
    if access.method in ("static", "ambient"):
        credential = access.cloud_credential
        return str(credential.facts.get("arn", "")) if credential else ""
    return aws.role_arn(access)


def account(access: "Access", overrides: Mapping[str, str]) -> str:
    """Return the account that is read from without an ARN: the reader's own; empty while nobody told."""
    arn = identity(access, overrides)
    if arn:
        return arn.split(":")[4]
    seen = access.inventory.filter(reference__startswith="arn:").values_list("reference", flat=True).first()
    return str(seen).split(":")[4] if seen else ""


def check(provider: str, access: "Access", reference: Reference, overrides: Mapping[str, str]) -> list[Note]:
    """Return what to know about a reference that names a region or an account.

    :raises NotReadable: AWS reads an ARN in its own region only, and the store reads another one
    """
    if reference.region:
        _check_region(access, reference, overrides.get("region", ""))
    mine = account(access, overrides)
    if not reference.account or reference.account == mine:
        return []
    return [_shared(provider, reference, identity(access, overrides), mine)]


def _check_region(access: "Access", reference: Reference, chosen: str) -> None:
    there, here = reference.region, chosen or own(access, "region")
    if there == here:
        return
    if chosen:
        raise NotReadable(
            f"The secret is in {there}, and an ARN is only read in its own region. Enter {there} here, or the ARN of a "
            f"replica in {chosen}.",
            "region",
        )
    raise NotReadable(
        f"This secret is in {there}, and {access} reads {here}: an ARN is only read in its own region. Read it with the "
        f"region {there}? It is filled in under “Read it from elsewhere”; send the form once more for that.",
        "key",
        {"region": there},
    )


def _shared(provider: str, reference: Reference, reader: str, mine: str) -> Note:
    owner, noun = reference.account, "secret" if provider == policies.SECRETS_MANAGER else "parameter"
    whose = f"account {owner}, not of {mine}" if mine else f"account {owner}"
    principal = reader or f"arn:{reference.key.split(':')[1]}:iam::{mine or 'ACCOUNT'}:root"
    resource = "*" if noun == "secret" else reference.key
    pastes = [
        (f"Resource policy of the {noun}", _statement(principal, _READING[provider], resource)),
        ("Key policy of its KMS key", _key_policy(provider, principal, reference.region)),
        ("Policy of the reader", _own_policy(provider, reference.key)),
    ]
    shared = "" if noun == "secret" else " The parameter is of the advanced tier and shared through AWS RAM."
    return Note(
        f"This {noun} is of {whose}" if mine else f"If this {noun} is of another account",
        f"Its owner allows the reader in the {noun}'s resource policy, and in the policy of a customer-managed KMS key: "
        f"under the key that AWS manages, no other account can read it. The reader's own policy allows it as well.{shared}",
        tuple(pastes),
    )


def _statement(principal: str, actions: list[str], resource: str, **more: Any) -> str:
    statement = {
        "Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": resource, **more,
    }  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


def _key_policy(provider: str, principal: str, region: str) -> str:
    domain = policies.suffix(aws_regions.partition_of(region))
    via = {"StringEquals": {"kms:ViaService": f"{_SERVICES[provider]}.{region}.{domain}"}}
    return _statement(principal, ["kms:Decrypt", "kms:DescribeKey"], "*", Condition=via)


def _own_policy(provider: str, arn: str) -> str:
    partition, region, owner = (arn.split(":")[at] for at in (1, 3, 4))
    service = f"{_SERVICES[provider]}.{region}.{policies.suffix(partition)}"
    decrypt = {
        "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": f"arn:{partition}:kms:{region}:{owner}:key/*",
        "Condition": {"StringEquals": {"kms:ViaService": service}},
    }  # fmt: skip
    reading = {"Effect": "Allow", "Action": _READING[provider], "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [reading, decrypt]}, indent=2)


# -- the store of a variant --------------------------------------------------------------------------------------
def vary(access: "Access", variant: "StoreVariant", spec: dict[str, Any]) -> Varied:
    """Return a store in another region, or as another role: by a ServiceAccount of its own, or assumed by the keys."""
    found = copy.deepcopy(spec)
    store = found["aws"]
    store["region"] = variant.region or store["region"]
    if not variant.role_arn and not variant.audience:
        return Varied(found)
    if "jwt" not in store.get("auth", {}):
        return Varied({"aws": store | {"role": variant.role_arn}} if variant.role_arn else found)
    store["auth"]["jwt"]["serviceAccountRef"]["name"] = variant.service_account
    annotations = {aws.ROLE_ANNOTATION: variant.role_arn or aws.role_arn(access)}
    # Not `serviceAccountRef.audiences`: the operator adds those to its own, and a token for two is for nobody at AWS.
    return Varied(found, annotations | ({AUDIENCE_ANNOTATION: variant.audience} if variant.audience else {}))


# -- another role ------------------------------------------------------------------------------------------------
def wrong_together(access: "Access", overrides: Mapping[str, str]) -> list[tuple[str, str]]:
    """Say what does not go together: partitions, and an audience that nobody's role trusts."""
    wrong = []
    region = overrides.get("region") or own(access, "region")
    role = overrides.get("role_arn", "")
    wants = aws_regions.partition_of(region)
    has = role.split(":")[1] if role else wants
    if has != wants:
        wrong.append(
            (
                "role_arn",
                f"The role is in the partition {has}, but {region} is in {wants}. "
                "A role is good for its own partition only.",
            )
        )
    if access.method == "automatic" and overrides.get("audience") and not role:
        wrong.append(
            (
                "audience",
                f"The role that a deploy makes trusts tokens for {aws.AUDIENCE}. Another audience goes with a role ARN "
                "of your own.",
            )
        )
    return wrong


def notes(access: "Access", overrides: Mapping[str, str]) -> list[Note]:
    """Return the trust that a role of another override needs, with the ServiceAccount that the deploy will make."""
    from accesses import variants

    role = overrides.get("role_arn", "")
    if access.method in ("static", "ambient"):
        return [_assumed(identity(access, {}), role)] if role else []
    audience = overrides.get("audience", "")
    if not role and not audience:
        return []
    planned = variants.planned(access, **overrides)
    arn, issuer = role or aws.role_arn(access), access.cluster.issuer or "https://ISSUER"
    found = policies.Place(arn.split(":")[4], overrides.get("region") or own(access, "region"))
    namespace = access.cluster.operator_namespace
    subject = f"system:serviceaccount:{namespace}:{planned.service_account}"
    provider = policies.provider_arn(found, issuer)
    trust = policies.trust(provider, issuer, subject, audience or aws.AUDIENCE)
    return [
        Note(
            f"The role {arn} has to trust this cluster",
            f"It signs in as the ServiceAccount {namespace}/{planned.service_account}, which the next deploy makes; the "
            f"account's IAM OIDC provider for the cluster's issuer lists the audience {audience or aws.AUDIENCE}.",
            (("Trust policy of the role", policies.text(trust)),),
        )
    ]


def _assumed(reader: str, role: str) -> Note:
    principal = reader or f"arn:aws:iam::{role.split(':')[4]}:root"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
        ],
    }  # fmt: skip
    return Note(
        f"The role {role} has to let the access in",
        "The operator signs in as the access does, then assumes this role; the access itself needs sts:AssumeRole on it.",
        (("Trust policy of the role", policies.text(trust)),),
    )
