"""Whether the one who asked for a deploy may still have it when a worker takes it."""

from accounts.models import Membership
from accounts.roles import Permission
from clusters import addons
from clusters.models import Deploy

NEEDED = {Deploy.Kind.DEPLOY: Permission.DEPLOY_RUN, Deploy.Kind.UNINSTALL: Permission.CLUSTER_MANAGE}


def why_not(deploy: Deploy) -> addons.StepFailed | None:
    """Return why the deploy is no longer permitted, or None when it is."""
    membership = Membership.objects.filter(
        organization=deploy.cluster.organization_id, user=deploy.by_id, user__is_active=True
    ).first()
    if membership is not None and membership.allows(
        NEEDED[Deploy.Kind(deploy.kind)], cluster=deploy.cluster.name
    ):
        return None
    return addons.StepFailed(
        f"{deploy.by_name} may no longer deploy this cluster.", "Somebody who may has to ask for it anew."
    )
