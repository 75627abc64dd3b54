"""The API's calls on clusters that a cloud credential finds: which there are, connecting one, signing in by it."""

import contextlib
from collections.abc import Iterator
from datetime import datetime

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from pydantic import Field

from accounts.roles import Permission
from clusters import finding, kubernetes, services
from clusters.api import ClusterShown, elsewhere, find
from clusters.finding import Candidate
from clusters.forms import NameForm
from clusters.models import Cluster, ConnectDraft
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown
from credentials.clouds.errors import ProviderError
from credentials.models import CloudCredential

calls = Calls("Clusters")

FAILURES: dict[type[Exception], int] = {
    services.NameTaken: 409,
    services.Changed: 409,
    services.AccountInUse: 409,
    services.WrongAccount: 422,
    services.AnotherCluster: 422,
}


class BlockedShown(Shown):
    """Why a found cluster cannot be connected as it is, and what to do."""

    reason: str
    remedy: str


class FoundShown(Shown):
    """A cluster as its cloud tells it."""

    name: str
    place: str
    version: str
    status: str
    locator: dict[str, str] = Field(description="How its cloud finds it again; send it to connect it.")
    note: str
    blocked: BlockedShown | None
    connected: str | None = Field(description="The cluster that it is here already, by its name.")


class PlaceShown(Shown):
    """Where a credential can look."""

    name: str
    label: str


class FoundClusters(Shown):
    """What a credential finds in one place, and the other places."""

    kind: str = Field(examples=["eks"])
    place: str
    places: list[PlaceShown]
    clusters: list[FoundShown]


class FoundSent(Sent):
    """A found cluster to connect; its cloud is asked anew where it is, and signing in is tried."""

    name: str = Field(examples=["payments-prod"], description="How it is called here.")
    place: str = Field("", max_length=100, examples=["eu-west-3"])
    locator: dict[str, str] = Field(description="As it was listed.", max_length=10)


class SignInSent(Sent):
    """The cloud credential by which a cluster is signed in to from now on."""

    credential: str = Field(examples=["aws-prod"])
    place: str = Field(
        "", max_length=100, description="Where the cluster is; empty for where it is known to be."
    )


class SignInShown(Shown):
    """How the console signs in to a cluster."""

    signs_in: str = Field(description="`kubeconfig` or `credential`.")
    credential: str | None
    identity: str
    signs_in_until: datetime | None


def _usable(request: ApiRequest) -> QuerySet[CloudCredential]:
    """Return the credentials that find clusters.

    :raises problems.Problem: the token does not see any
    """
    if not request.allows(Permission.CREDENTIAL_VIEW):
        raise problems.invalid("credential", "This needs the permission credential:view, too.")
    within = CloudCredential.objects.within(
        request.organization, request.authority, Permission.CREDENTIAL_VIEW
    )
    return within.filter(cloud__in=finding.CLOUDS).select_related("organization")


@contextlib.contextmanager
def _reaching(request: ApiRequest) -> Iterator[None]:
    """Turn what a cloud or a cluster refuses, and what contradicts what is there, into problems."""
    try:
        with problems.turning(FAILURES):
            yield
    except services.AlreadyConnected as error:
        raise problems.Problem(409, _already(request, error.other)) from None
    except (kubernetes.ClusterError, ProviderError) as error:
        raise elsewhere(error) from None


def _already(request: ApiRequest, other: Cluster | None) -> str:
    seen = other is not None and request.allows(Permission.CLUSTER_VIEW, cluster=other.name)
    return f"This cluster is connected already{f', as {other}' if seen else ''}."


def _place(credential: CloudCredential, wanted: str) -> tuple[str, list[tuple[str, str]]]:
    """Return where to look, and where one can.

    :raises problems.Problem: there is no such place
    """
    known = finding.places(credential)
    slugs = [slug for slug, _ in known]
    if wanted and wanted not in slugs:
        raise problems.invalid("place", "There is no such place at its cloud.")
    return wanted or next(iter(slugs), ""), known


def _shown(request: ApiRequest, one: Candidate) -> FoundShown:
    here = one.connected
    seen = here is not None and request.allows(Permission.CLUSTER_VIEW, cluster=here.name)
    names = ("name", "place", "version", "status", "locator", "note")
    blocked = one.found.blocked
    return FoundShown.model_validate(
        {name: getattr(one.found, name) for name in names}
        | {
            "blocked": BlockedShown(reason=blocked.reason, remedy=blocked.remedy) if blocked else None,
            "connected": here.name if here is not None and seen else None,
        }
    )


@calls.get("/credentials/{credential}/clusters", Permission.CLUSTER_MANAGE)
def find_clusters(request: ApiRequest, credential: str, place: str = "") -> FoundClusters:
    """List the clusters that a cloud credential finds in a place, the likeliest where none is named."""
    found = get_object_or_404(_usable(request), name=credential)
    with _reaching(request):
        there, known = _place(found, place)
        return FoundClusters(
            kind=finding.finder(found).kind,
            place=there,
            places=[PlaceShown(name=slug, label=label) for slug, label in known],
            clusters=[_shown(request, one) for one in finding.find(found, there)],
        )


@calls.post("/credentials/{credential}/clusters", Permission.CLUSTER_MANAGE)
def connect_found_cluster(request: ApiRequest, credential: str, sent: FoundSent) -> ClusterShown:
    """Connect a cluster that a cloud credential finds, and sign in to it by that credential."""
    found = get_object_or_404(_usable(request), name=credential)
    name = problems.checked(NameForm({"name": sent.name}))["name"]
    if not request.allows(Permission.CLUSTER_MANAGE, cluster=name):
        raise problems.invalid("name", f"Your roles do not cover a cluster named {name}.")
    with _reaching(request):
        place, _ = _place(found, sent.place)
        # Nothing is asked about but what the credential finds.
        chosen = next((one for one in finding.find(found, place) if one.found.locator == sent.locator), None)
        if chosen is None:
            raise problems.invalid("locator", f"{found.name} finds no such cluster there.")
        draft = ConnectDraft(
            organization=request.organization, by=request.user, credential=found,
            kind=finding.finder(found).kind, locator=chosen.found.locator,
        )  # fmt: skip
        draft.save()
        try:
            made = services.connect(draft=draft, name=name, by=request.user)
        finally:
            draft.delete()
    return ClusterShown.of(made)


@calls.put("/clusters/{cluster}/sign-in", Permission.CLUSTER_MANAGE)
def sign_in_to_cluster(request: ApiRequest, cluster: str, sent: SignInSent) -> SignInShown:
    """Sign in to a connected cluster by a cloud credential from now on; it is tried before it takes over."""
    found = find(request, cluster, Permission.CLUSTER_MANAGE)
    named = _usable(request).filter(name=sent.credential.replace("\x00", ""))
    credential = named.first()
    if credential is None:
        raise problems.invalid("credential", "There is no such cloud credential that finds clusters.")
    with _reaching(request):
        place, _ = _place(credential, sent.place or found.region)
        live = services.sign_in_by_credential(
            cluster=found,
            credential=credential,
            locator=finding.match(credential, place, found).locator,
            seen_version=found.updated_at.isoformat(),
            by=request.user,
        )
    return SignInShown(
        signs_in=live.signs_in,
        credential=credential.name,
        identity=live.identity,
        signs_in_until=live.signs_in_until,
    )
