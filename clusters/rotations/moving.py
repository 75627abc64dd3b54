"""Which clusters have moved to the new key: each by a deploy that carried the generation since when it is stored."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import User
from clusters import deploys, services
from clusters.models import Cluster, Deploy, DeployStep, Move, Rotation


def plan(rotation: Rotation) -> None:
    """Note the clusters that have to move. What never began a deploy holds no key yet, and has moved."""
    users = services.users_of(rotation.credential)
    begun = Deploy.objects.filter(cluster__in=users, started_at__isnull=False)
    with_keys, now = set(begun.values_list("cluster", flat=True)), timezone.now()
    Move.objects.bulk_create(
        Move(
            rotation=rotation,
            cluster=cluster,
            generation=cluster.generation,
            moved_at=None if cluster.pk in with_keys else now,
        )
        for cluster in users
    )


def settle(rotation: Rotation) -> None:
    """Note which clusters have moved, and that all have; in a transaction that holds the rotation's row."""
    if rotation.status != Rotation.Status.MOVING:
        return
    now = timezone.now()
    for move in rotation.moves.filter(_carried(), moved_at=None).select_related("cluster"):
        move.moved_at = now
        move.save(update_fields=["moved_at"])
        audit.record(
            organization=rotation.credential.organization,
            by=None,
            action="rotation.cluster_moved",
            target=rotation.credential,
            details={"cluster": move.cluster.name},
        )
    if not rotation.moves.filter(moved_at=None).exists():
        rotation.status, rotation.moved_at = Rotation.Status.CONFIRMING, now
        rotation.save(update_fields=["status", "moved_at"])


def _carried() -> Q:
    """Return what says of a move that a deploy brought its generation; one that removed the operator is as good."""
    done = Deploy.objects.filter(
        cluster=OuterRef("cluster"),
        status=Deploy.Status.SUCCEEDED,
        generation__gte=OuterRef("generation"),
        started_at__gte=OuterRef("rotation__started_at"),
    )
    return Q(cluster__deployed_generation__gte=F("generation")) | Q(Exists(done))


def settle_all(cluster: Cluster | None = None) -> int:
    """Settle what is open, of one cluster or of all; return how many rotations were looked at.

    What somebody else holds this moment is left for the next time.
    """
    moving = Rotation.objects.filter(status=Rotation.Status.MOVING)
    pending = Move.objects.filter(_carried(), moved_at=None)
    if cluster is not None:
        pending = pending.filter(cluster=cluster)
    # A cluster that was disconnected is not waited for.
    waiting = Exists(Move.objects.filter(rotation=OuterRef("pk"), moved_at=None))
    nothing = ~Q(waiting) if cluster is None else Q(pk=None)
    found = set(moving.filter(Q(pk__in=pending.values("rotation")) | nothing).values_list("pk", flat=True))
    for pk in found:
        with transaction.atomic():
            free = Rotation.objects.select_for_update(of=("self",), skip_locked=True)
            row = free.select_related("credential__organization").filter(pk=pk).first()
            if row is not None:
                settle(row)
    return len(found)


@dataclass(frozen=True, slots=True)
class State:
    """How far one cluster is: `word` is waiting, deploying, failed or moved."""

    move: Move
    word: str
    deploy: Deploy | None = None

    @property
    def name(self) -> str:
        return self.move.cluster.name


def states(rotation: Rotation) -> list[State]:
    """Return how far each cluster is, by name; two queries for all of them."""
    moves = list(rotation.moves.select_related("cluster").order_by("cluster__name"))
    wanted = {move.cluster_id: move for move in moves}
    latest: dict[object, Deploy] = {}
    for deploy in _deploys(rotation):
        if deploy.is_over and deploy.generation < wanted[deploy.cluster_id].generation:
            continue
        latest[deploy.cluster_id] = deploy
    return [
        State(move, _word(move, latest.get(move.cluster_id)), latest.get(move.cluster_id)) for move in moves
    ]


def _deploys(rotation: Rotation) -> QuerySet[Deploy]:
    """Return what was deployed since, or still is, the latest last, with the steps that are done and all of them."""
    since = Q(created_at__gte=rotation.started_at) | ~Q(status__in=Deploy.OVER)
    ended = (DeployStep.Status.SUCCEEDED, DeployStep.Status.SKIPPED)
    rows = Deploy.objects.filter(since, cluster__moves__rotation=rotation, kind=Deploy.Kind.DEPLOY)
    counted = rows.annotate(done=Count("steps", filter=Q(steps__status__in=ended)), all_steps=Count("steps"))
    return counted.defer("snapshot").select_related("cluster").order_by("number")


def _word(move: Move, deploy: Deploy | None) -> str:
    if move.moved_at is not None:
        return "moved"
    if deploy is None or deploy.status == Deploy.Status.SCHEDULED:
        return "waiting"
    if not deploy.is_over:
        return "deploying"
    return "waiting" if deploy.status == Deploy.Status.SUCCEEDED else "failed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking for deploys: the clusters' names, and what stood in the way of others."""

    clusters: list[str]
    problems: list[str]


def deploy(
    *, rotation: Rotation, by: User, may: Callable[[str], bool], names: Iterable[str] | None = None
) -> Asked:
    """Ask for a deploy of each cluster that has not moved and that somebody may deploy; or of some of them.

    One that cannot be asked for now keeps none of the others.
    """
    wanted = None if names is None else set(names)
    asked = Asked([], [])
    for move in rotation.moves.filter(moved_at=None).select_related("cluster"):
        name = move.cluster.name
        if not may(name) or (wanted is not None and name not in wanted):
            continue
        try:
            move.deploy = _request(rotation, move, by)
            move.save(update_fields=["deploy"])
            asked.clusters.append(name)
        except deploys.CannotBe as error:
            asked.problems.append(f"{name}: {error}")
    return asked


def _request(rotation: Rotation, move: Move, by: User) -> Deploy:
    """Return the deploy that brings the new key: the one that runs with it already, or one that is asked for."""
    running = move.cluster.deploys.filter(
        status=Deploy.Status.RUNNING, kind=Deploy.Kind.DEPLOY, generation__gte=move.generation
    ).first()
    return running or deploys.request(
        cluster=move.cluster, by=by, reason=f"Rotation of {rotation.credential.name}"
    )
