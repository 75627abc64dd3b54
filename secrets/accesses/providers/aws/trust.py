"""Why a role does not let a cluster's ServiceAccount in: AWS does not say, but the role's trust policy does."""

from typing import TYPE_CHECKING, Any

from accesses.providers import tokens
from accesses.setup import policies
from credentials import signing
from credentials.clouds import aws, errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft


def wanted(access: "Access | AccessDraft", role_arn: str) -> dict[str, Any]:
    """Return the trust policy that the role needs."""
    issuer = access.cluster.issuer
    place = policies.Place(role_arn.split(":")[4], access.configuration["region"])
    return policies.trust(policies.provider_arn(place, issuer), issuer, tokens.subject(access))


def explain(
    access: "Access | AccessDraft", role_arn: str, refusal: errors.TrustMissing
) -> errors.TrustMissing:
    """Return the refusal with the trust policy to paste and, where the console may read the role, what is wrong with it."""
    reason = _reason(access, role_arn) or refusal.reason
    return errors.TrustMissing(reason, refusal.remedy, policies.text(wanted(access, role_arn)))


def _reason(access: "Access | AccessDraft", role_arn: str) -> str:
    """Return what does not fit, or an empty string where that cannot be told."""
    credential = access.cluster.credential
    if credential is None or credential.cloud != "aws" or credential.account != role_arn.split(":")[4]:
        return ""
    name, region = role_arn.rpartition("/")[2], access.configuration["region"]
    try:
        with aws.translated("iam:GetRole", region, ""):
            way = aws.client("iam", signing.session(credential), region, hasty=True)
            role = way.get_role(RoleName=name)["Role"]
    except errors.NotThere:
        return f"There is no role {name} in the account {credential.account}."
    except errors.ProviderError:
        return ""
    return _compared(role["AssumeRolePolicyDocument"], wanted(access, role_arn))


def _compared(has: Any, wants: dict[str, Any]) -> str:
    """Say in which of issuer, audience and ServiceAccount a role's trust is another than it should be."""
    statements = has.get("Statement", []) if isinstance(has, dict) else []
    found = [one for one in statements if "sts:AssumeRoleWithWebIdentity" in str(one.get("Action"))]
    if not found:
        return "The role trusts no issuer of tokens; its trust policy is for something else."
    (wanted_one,) = wants["Statement"]
    issuer = wanted_one["Principal"]["Federated"]
    ours = [one for one in found if one.get("Principal", {}).get("Federated") == issuer]
    if not ours:
        others = sorted({_host(str(one.get("Principal", {}).get("Federated"))) for one in found})
        return f"The role trusts the issuer {', '.join(others)}, but the cluster's is {_host(issuer)}."
    conditions: dict[str, str] = wanted_one["Condition"]["StringEquals"]
    words = {"sub": "ServiceAccount", "aud": "audience"}
    for key, value in sorted(conditions.items(), reverse=True):
        said = {str(test[key]) for one in ours for test in one.get("Condition", {}).values() if key in test}
        if value not in said:
            what = words[key.rpartition(":")[2]]
            told = ", ".join(sorted(said)) or "none"
            return f"The role trusts the {what} {told}, but this access's is {value}."
    return ""


def _host(arn: str) -> str:
    return arn.partition(":oidc-provider/")[2] or arn
