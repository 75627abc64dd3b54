"""The wizard's drafts: begun, tested, and forgotten after a week."""

import contextlib
import datetime

from django.utils import timezone

from accesses import installed, trials
from accesses.models import AccessDraft
from accounts.models import User
from clusters import kubernetes
from clusters.models import Cluster

FORGOTTEN = datetime.timedelta(days=7)


def begin(*, cluster: Cluster, by: User) -> AccessDraft:
    """Return a draft for the wizard: the person's own that is still empty, or a new one.

    Drafts that nobody touched for a week end here: they hold credentials.
    """
    AccessDraft.objects.filter(updated_at__lt=timezone.now() - FORGOTTEN).delete()
    settle(cluster)
    empty = AccessDraft.objects.filter(cluster=cluster, by=by, provider="").first()
    return empty or AccessDraft.objects.create(cluster=cluster, by=by)


def settle(cluster: Cluster) -> None:
    """Find out in which namespace the operator is; without an answer it is the one that a deploy would use."""
    with contextlib.suppress(kubernetes.ClusterError):
        installed.settle_namespace(cluster, kubernetes.connect(cluster))


def test_draft(draft: AccessDraft) -> trials.Result:
    """Test a draft and keep the result on it, unless the draft was changed meanwhile."""
    result = trials.try_access(draft, made=False)
    same, at = AccessDraft.objects.filter(pk=draft.pk, updated_at=draft.updated_at), timezone.now()
    if same.update(result=result.as_json(), tested_at=at):
        draft.result, draft.tested_at = result.as_json(), at
    return result
