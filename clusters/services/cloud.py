"""What the console uses in a cluster's cloud account."""

from django.db import transaction
from django.db.models import F, Q

from accounts.audit import services as audit
from accounts.models import User
from clusters.models import Cluster
from clusters.services import changing
from clusters.services.refusals import AccountInUse, WrongAccount
from credentials.models import CloudCredential


@transaction.atomic
def use_credential(
    *, cluster: Cluster, credential: CloudCredential | None, by: User, account: str | None = None
) -> bool:
    """Choose what the console uses in the cluster's cloud account, or nothing; return whether anything differs.

    `account` is the account as somebody typed it; None keeps the known one. Where none is known, the credential's is.

    :raises WrongAccount: the credential is of another cloud or account
    :raises AccountInUse: the account would become another, and roles of accesses are in it
    """
    live = Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    known = live.account if account is None else account
    if credential is not None:
        # Its account stays as it is until this is committed.
        credential = CloudCredential.objects.select_for_update(no_key=True).get(pk=credential.pk)
        known = _account_with(credential, live, known)
    if (known, credential) == (live.account, live.credential):
        return False
    _keep_account_in_use(live, known)
    before = {"credential": str(live.credential or ""), "account": live.account}
    Cluster.objects.filter(pk=live.pk).update(credential=credential, account=known)
    after = {"credential": str(credential or ""), "account": known}
    changing.record(
        live, "cluster.credential_changed", by, audit.changes(before, after, {name: name for name in after})
    )
    # What a deploy makes in the account is made with it.
    if live.accesses.filter(method="automatic").exists():
        changing.changed(live)
    return True


def _account_with(credential: CloudCredential, cluster: Cluster, known: str) -> str:
    """Return the account in which a credential and a cluster meet."""
    if cluster.cloud not in ("", credential.cloud):
        raise WrongAccount(
            f"{credential.name} is of {credential.get_cloud_display()}; {cluster.name} is not."
        )
    if known not in ("", credential.account):
        raise WrongAccount(
            f"{credential.name} belongs to the account {credential.account}, but {cluster.name} is in {known}."
        )
    return credential.account


def _keep_account_in_use(cluster: Cluster, account: str) -> None:
    relying = cluster.accesses.filter(method__in=("automatic", "role", "workload-identity")).order_by("name")
    if cluster.account not in ("", account) and (names := ", ".join(access.name for access in relying)):
        raise AccountInUse(
            f"The roles of {names} are in the account {cluster.account}. Delete these accesses first, "
            "or keep the account."
        )


def follow(credential: CloudCredential) -> None:
    """Note on the clusters that use a credential, themselves or by an access, that it was replaced."""
    using = Cluster.objects.filter(Q(accesses__cloud_credential=credential) | Q(credential=credential))
    Cluster.objects.filter(pk__in=using.values("pk")).update(generation=F("generation") + 1)
