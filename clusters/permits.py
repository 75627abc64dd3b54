"""Whether the one who asked for something may still have it when a worker takes it."""

from accounts.authority import Authority
from accounts.models import Membership
from accounts.roles import Permission
from clusters import addons
from clusters.models import Cluster, Deploy
from credentials.models import CloudCredential

NEEDED = dict.fromkeys(Deploy.Kind, Permission.CLUSTER_MANAGE) | {Deploy.Kind.DEPLOY: Permission.DEPLOY_RUN}
NOBODY = Authority(())


def of(thing: Cluster | CloudCredential, user_id: int | None) -> Authority:
    """Return what a person may do now in the organization of a cluster or a credential; of one who has left, or is barred, nothing."""
    membership = Membership.objects.filter(
        organization=thing.organization_id, user=user_id, user__is_active=True
    ).first()
    return membership.authority if membership else NOBODY


def why_not(deploy: Deploy) -> addons.StepFailed | None:
    """Return why the deploy is no longer permitted, or None when it is: the roles as they are now cover the cluster."""
    needed = NEEDED[Deploy.Kind(deploy.kind)]
    if of(deploy.cluster, deploy.by_id).allows(needed, cluster=deploy.cluster.name):
        return None
    return addons.StepFailed(
        f"No longer permitted: {deploy.by_name} may no longer deploy this cluster.",
        "Somebody who may has to ask for it anew.",
    )
