"""EKS as the sandbox has it: the clusters that are registered (`POST /sandbox/eks`), described truly, and whom each
lets in; access entries may be made as AWS has them.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.eks import urls
from moto.eks.models import Cluster, eks_backends
from moto.eks.responses import EKSResponse

from sandbox import world

# An access policy of EKS that lets do everything, as the sandbox understands it.
ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
# What is allowed to an identity, by (account, region, name of the cluster) and its ARN.
entries: dict[tuple[str, str, str], dict[str, "Entry"]] = {}
_authorize = EKSResponse._authenticate_and_authorize_normal_action


@dataclass
class Entry:
    """One access entry."""

    groups: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)

    def told(self) -> dict[str, list[str]]:
        return {"groups": self.groups, "policies": self.policies}


def register(given: dict[str, Any]) -> None:
    """Let EKS know a cluster: `{name, region, endpoint, ca, issuer, version, access: [ARN]}`, perhaps `account`,
    `status`, `public`, `networks` and `mode`. Who is in `access` may do everything; told again, it replaces."""
    account, region, name = given.get("account", world.ACCOUNT), given["region"], given["name"]
    cluster: Any = Cluster(
        name=name, role_arn=f"arn:aws:iam::{account}:role/eks", account_id=account, region_name=region, aws_partition="aws",
        version=given.get("version", ""),
        resources_vpc_config={
            "endpointPublicAccess": given.get("public", True), "endpointPrivateAccess": not given.get("public", True),
            "publicAccessCidrs": given.get("networks", ["0.0.0.0/0"]),
        },
    )  # fmt: skip
    cluster.endpoint, cluster.status = given["endpoint"], given.get("status", "ACTIVE")
    cluster.certificate_authority = {"data": given["ca"]}
    cluster.identity = {"oidc": {"issuer": given["issuer"]}}
    cluster.access_config = {"authenticationMode": given.get("mode", "API_AND_CONFIG_MAP")}
    eks_backends[account][region].clusters[name] = cluster
    entries[account, region, name] = {arn: Entry(policies=[ADMIN]) for arn in given.get("access", ())}


def who_may(given: dict[str, Any]) -> dict[str, Any]:
    """Return the access entries of a cluster by ARN, for the cluster itself: `{name, region}`, perhaps `account`."""
    where = given.get("account", world.ACCOUNT), given["region"], given["name"]
    return {arn: entry.told() for arn, entry in entries.get(where, {}).items()}


def teach() -> None:
    """Give moto the addresses of access entries; before its application is made."""
    path = "{0}/clusters/(?P<name>[^/]+)/access-entries"
    entry = path + "/(?P<arn>.+)"
    urls.url_paths |= {
        f"{path}$": urls.response.dispatch,
        f"{entry}/access-policies$": urls.response.dispatch,
        f"{entry}$": urls.response.dispatch,
    }


class Responses(EKSResponse):
    """What moto lacks: rights on one cluster, and access entries."""

    def _authenticate_and_authorize_normal_action(self, resource: str = "*") -> None:
        # It takes the address apart.
        self._get_action()
        name = self._get_param("name")
        here = f"arn:aws:eks:{self.region}:{self.current_account}"
        _authorize(self, f"{here}:cluster/{name}" if name else resource)

    def _access(self) -> dict[str, Entry]:
        name = self._get_param("name")
        self.eks_backend.describe_cluster(name)
        return entries.setdefault((self.current_account, self.region, name), {})

    def create_access_entry(self) -> ActionResult:
        arn, groups = self._get_param("principalArn"), self._get_param("kubernetesGroups") or []
        self._access()[arn] = Entry(groups=list(groups))
        said = {
            "clusterName": self._get_param("name"),
            "principalArn": arn,
            "kubernetesGroups": groups,
        }
        return ActionResult({"accessEntry": said})

    def list_access_entries(self) -> ActionResult:
        return ActionResult({"accessEntries": sorted(self._access())})

    def delete_access_entry(self) -> ActionResult:
        self._access().pop(self._get_param("principalArn"), None)
        return EmptyResult()

    def associate_access_policy(self) -> ActionResult:
        arn, policy = self._get_param("principalArn"), self._get_param("policyArn")
        self._access()[arn].policies.append(policy)
        said = {"clusterName": self._get_param("name"), "principalArn": arn}
        return ActionResult(said | {"associatedAccessPolicy": {"policyArn": policy}})


def answer(given: dict[str, Any]) -> bytes:
    """Answer `POST /sandbox/eks/access`."""
    return json.dumps(who_may(given)).encode()
