"""The ways into a cluster that is not connected yet, or not in this way: a kubeconfig, or what a credential found."""

from dataclasses import dataclass, field, replace
from typing import Any

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from clusters import finding, kubeconfig, kubernetes, places
from clusters.kubernetes import signing
from clusters.models import Cluster, ConnectDraft
from clusters.services import looking
from clusters.services.refusals import AnotherCluster
from credentials.clouds.base import Found
from credentials.clouds.errors import NotPossibleHere
from credentials.models import CloudCredential


@dataclass(frozen=True, slots=True)
class Entrance:
    """A way into a cluster. By a credential, the kubeconfig says no more than where the cluster is."""

    kubeconfig: str = field(repr=False)
    credential: CloudCredential | None = None
    found: Found | None = None

    def open(self) -> kubernetes.Door:
        """Open the door.

        :raises kubernetes.ClusterError: the address is not allowed or the kubeconfig cannot be used
        """
        if self.credential is None or self.found is None:
            return kubernetes.connect_text(self.kubeconfig)
        tokens = signing.supplier(self.credential, self.found.locator)
        return kubernetes.connect_text(self.kubeconfig, tokens=tokens)

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of `Cluster` that say how it is signed in to; a kubeconfig leaves its credential as it is."""
        if self.credential is None or self.found is None:
            return {"kubeconfig": self.kubeconfig, "signs_in": Cluster.SignsIn.KUBECONFIG, "locator": {}}
        return {
            "kubeconfig": self.kubeconfig,
            "signs_in": Cluster.SignsIn.CREDENTIAL,
            "credential": self.credential,
            "locator": self.found.locator,
            "signs_in_until": None,
            "renews": False,
        }


def by_credential(credential: CloudCredential, locator: dict[str, str]) -> Entrance:
    """Return the way into a cluster as its cloud describes it now.

    :raises ProviderError: the cloud refuses, does not answer, or the cluster cannot be connected as it is
    """
    found = finding.describe(credential, locator)
    return Entrance(bare(found), credential, found)


@sensitive_variables()
def of(draft: ConnectDraft) -> Entrance:
    """Return the way into a cluster that somebody is about to connect.

    :raises ProviderError: as `by_credential`
    """
    if draft.credential is None:
        return Entrance(draft.kubeconfig)
    return by_credential(draft.credential, draft.locator)


def bare(found: Found) -> str:
    """Return a kubeconfig of where a found cluster is.

    :raises NotPossibleHere: its address may not be called
    """
    try:
        return kubeconfig.bare(found.endpoint, found.authority)
    except kubeconfig.KubeconfigRefused as error:
        raise NotPossibleHere(
            f"The cloud tells an address of {found.name} that cannot be used: {error}",
            "Give the cluster a public endpoint, or connect it by a kubeconfig.",
        ) from None


def look(door: kubernetes.Door, entrance: Entrance, operator_namespace: str = "") -> looking.Trial:
    """Say by an open door what the cluster is; where it is, its cloud knows better than the cluster itself.

    :raises kubernetes.ClusterError: it cannot be reached, or does not know us
    """
    trial = looking.look_around(door, operator_namespace)
    if entrance.credential is None or entrance.found is None:
        return trial
    return replace(trial, place=place_of(entrance.credential, entrance.found, trial.place.issuer))


def place_of(credential: CloudCredential, found: Found, issuer: str) -> places.Place:
    """Return where a found cluster is, in the lengths of the columns."""
    return places.Place(
        finding.finder(credential).kind,
        found.place[:64],
        found.account[:128],
        found.name[:128],
        (issuer or found.issuer)[:300],
    )


def try_another(
    cluster: Cluster, credential: CloudCredential, locator: dict[str, str]
) -> tuple[Entrance, looking.Trial]:
    """Try a credential on a cluster that is connected already.

    :raises AnotherCluster: it found another cluster than this one
    :raises kubernetes.ClusterError: the cluster does not let its identity in as it lets in ours
    :raises ProviderError: the cloud refuses, or does not answer
    """
    entrance = by_credential(credential, locator)
    if entrance.found is None or not finding.is_same(cluster, entrance.found):
        raise AnotherCluster(f"What {credential.name} found is not {cluster.name}, but another cluster.")
    trial = look(entrance.open(), entrance, cluster.operator_namespace)
    now = {entry["label"] for entry in cluster.permissions if entry["allowed"]}
    lost = [entry["label"] for entry in trial.denied if entry["label"] in now]
    if lost:
        raise kubernetes.Forbidden(
            f"{trial.identity} may not do there what Keyhaven may do now: {', '.join(lost[:3])}"
            + (f" and {len(lost) - 3} more." if len(lost) > 3 else "."),
            "Grant it the same permissions in the cluster, then try again.",
        )
    return entrance, trial


def note(cluster: Cluster, trial: looking.Trial) -> None:
    """Put on a cluster's row what a test found."""
    cluster.server, cluster.version = trial.server, trial.version
    cluster.identity, cluster.permissions = trial.identity, trial.permissions
    cluster.status, cluster.status_reason, cluster.seen_at = Cluster.Status.READY, "", timezone.now()
    for name, value in trial.place.fields().items():
        setattr(cluster, name, value)
