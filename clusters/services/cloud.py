"""What the console uses in a cluster's cloud account."""

from django.db import transaction
from django.db.models import F, Q

from accounts.audit import services as audit
from accounts.models import User
from clusters.models import Cluster
from clusters.models.clusters import ClusterQuerySet
from clusters.services import changing, entering
from clusters.services.entering import Entrance
from clusters.services.looking import Trial
from clusters.services.refusals import AccountInUse, Changed, StillNeeded, WrongAccount
from credentials.models import CloudCredential


def use_credential(
    *, cluster: Cluster, credential: CloudCredential | None, by: User, account: str | None = None
) -> bool:
    """Choose what the console uses in the cluster's cloud account, or nothing; return whether anything differs.

    `account` is the account as somebody typed it; None keeps the known one. Where none is known, the credential's is.
    Where the console signs in to the cluster by its credential, another one is tried before it takes over.

    :raises StillNeeded: the console signs in to the cluster by its credential
    :raises WrongAccount: the credential is of another cloud or account
    :raises AccountInUse: the account would become another, and roles of accesses are in it
    :raises AnotherCluster, kubernetes.ClusterError, ProviderError: the console cannot sign in by the credential
    """
    tried = None
    if cluster.signs_in == Cluster.SignsIn.CREDENTIAL and credential != cluster.credential:
        tried = entering.try_another(cluster, _needed(cluster, credential), cluster.locator)
    return _use(cluster, credential, account, tried, by)


def _needed(cluster: Cluster, credential: CloudCredential | None) -> CloudCredential:
    if credential is None:
        raise StillNeeded(
            f"Keyhaven signs in to {cluster.name} by {cluster.credential}. "
            "Give the cluster a kubeconfig first, or choose another credential."
        )
    return credential


@transaction.atomic
def _use(
    cluster: Cluster,
    credential: CloudCredential | None,
    account: str | None,
    tried: tuple[Entrance, Trial] | None,
    by: User,
) -> bool:
    live = Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    if (live.signs_in, live.locator) != (cluster.signs_in, cluster.locator):
        raise Changed("Somebody changed how Keyhaven signs in to this cluster meanwhile. Look at it again.")
    before = {"credential": str(live.credential or ""), "account": live.account}
    known = live.account if account is None else account
    if credential is not None:
        known = _held_account(live, credential, known)
    if (known, credential) == (live.account, live.credential):
        return False
    _keep_account_in_use(live, known)
    live.credential, live.account = credential, known
    if tried is not None:
        _take(live, *tried)
    live.save(update_fields=None if tried else ["credential", "account"])
    after = {"credential": str(credential or ""), "account": known}
    told = audit.changes(before, after, {name: name for name in after})
    changing.record(live, "cluster.credential_changed", by, told)
    # What a deploy makes in the account is made with it.
    if tried is not None or live.accesses.filter(method="automatic").exists():
        changing.changed(live)
    return True


def _take(live: Cluster, entrance: Entrance, trial: Trial) -> None:
    account = live.account
    entering.note(live, trial)
    live.kubeconfig, live.account = entrance.kubeconfig, account


def join(cluster: Cluster, credential: CloudCredential) -> None:
    """Give a locked cluster a credential by which it will be signed in to, and the account in which both are.

    :raises WrongAccount: the credential is of another cloud or account
    :raises AccountInUse: the account would become another, and roles of accesses are in it
    """
    account = _held_account(cluster, credential, cluster.account)
    _keep_account_in_use(cluster, account)
    cluster.credential, cluster.account = credential, account


def _held_account(cluster: Cluster, credential: CloudCredential, known: str) -> str:
    # Its account stays as it is until this is committed.
    held = CloudCredential.objects.select_for_update(no_key=True).get(pk=credential.pk)
    return account_with(held, cluster, known)


def account_with(credential: CloudCredential, cluster: Cluster, known: str) -> str:
    """Return the account in which a credential and a cluster meet."""
    if cluster.home not in ("", credential.cloud):
        raise WrongAccount(
            f"{credential.name} is of {credential.get_cloud_display()}; {cluster.name} is not."
        )
    if known not in ("", credential.account):
        raise WrongAccount(
            f"{credential.name} belongs to the {credential.account_label.lower()} {credential.account}, but {cluster.name} is in {known}."
        )
    return credential.account


def _keep_account_in_use(cluster: Cluster, account: str) -> None:
    relying = cluster.accesses.filter(method__in=("automatic", "role", "workload-identity")).order_by("name")
    if cluster.account not in ("", account) and (names := ", ".join(access.name for access in relying)):
        raise AccountInUse(
            f"The roles of {names} are in the account {cluster.account}. Delete these accesses first, "
            "or keep the account."
        )


def users_of(credential: CloudCredential) -> ClusterQuerySet:
    """Return the clusters that use a credential, themselves or by an access."""
    using = Cluster.objects.filter(Q(accesses__cloud_credential=credential) | Q(credential=credential))
    return Cluster.objects.filter(pk__in=using.values("pk"))


def follow(credential: CloudCredential) -> None:
    """Note on the clusters that use a credential, themselves or by an access, that it was replaced.

    One that only signs in by it, and was never deployed, has nothing that a deploy would bring.
    """
    idle = Q(deployed_generation=None, generation=0)
    users_of(credential).exclude(idle).update(generation=F("generation") + 1)
