"""Having the operator read secrets again now, and keeping what came of it."""

import logging
import time
from collections.abc import Iterable
from itertools import groupby

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from accesses import releases
from accesses.models import Access
from accesses.steps.operator import OLDEST
from accounts.audit import origin
from accounts.audit import services as audit
from accounts.models import User
from accounts.roles import Permission
from clusters import addons, kubernetes, mistakes, permits, recording, waiting
from clusters.kubernetes import conditions
from clusters.models import Cluster
from external_secrets import manifests, tasks
from external_secrets.models import ExternalSecret, ExternalSecretQuerySet
from external_secrets.steps import forcing, observe, restart, state

logger = logging.getLogger(__name__)

ASKED = "The operator was asked to read it again."
# So long the worker waits for what comes of it; after that the next look at the cluster tells.
LONGEST = 20.0
# So long the cluster is asked again when it does not answer.
PATIENCE = 5.0
# With more than these it costs less to list all than to ask for each.
FEW = 20
_STATE = ["status", "status_reason", "status_remedy"]


class NotPossible(Exception):
    """Nothing can be read again. `str()` says why, `remedy` what to do first."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


def failed(cluster: Cluster, access: Access | None = None) -> ExternalSecretQuerySet:
    """Return a cluster's links that failed, all of them or one access's."""
    links = ExternalSecret.objects.filter(cluster=cluster, status=ExternalSecret.Status.FAILED)
    return links.filter(access=access) if access else links


def is_asked(link: ExternalSecret) -> bool:
    """Tell whether an answer of the operator is being waited for."""
    return link.status == ExternalSecret.Status.WAITING and link.status_reason == ASKED


def sync_now(*, links: Iterable[ExternalSecret], by: User) -> int:
    """Have a worker ask the operator to read links of one cluster again; return how many they are.

    Their rows say so until the answer is there. Whoever has another name for the same value is asked with it.

    :raises NotPossible: none of them can be, or no worker can be asked
    """
    wanted = list(links)
    if not wanted:
        raise NotPossible("There is nothing to read again.", "Only what was deployed can be.")
    _check_operator(wanted[0].cluster)
    due = [link for link in wanted if not _obstacle(link)]
    if not due:
        raise NotPossible(*_obstacle(wanted[0]))
    originals = {link.alias_of_id or link.pk for link in due}
    family = ExternalSecret.objects.filter(Q(pk__in=originals) | Q(alias_of__in=originals))
    family = family.exclude(status=ExternalSecret.Status.NEVER).exclude(refused=True)
    before = list(family)
    with transaction.atomic():
        family.update(status=ExternalSecret.Status.WAITING, status_reason=ASKED, status_remedy="")
        _record(wanted[0].cluster, due, by)
    try:
        tasks.read_again.delay(link_ids=sorted(str(link.pk) for link in before), by=by.pk)
    except BrokerAway:
        logger.warning("The broker is away; %s links are not read again.", len(before))
        ExternalSecret.objects.bulk_update(before, _STATE, batch_size=200)
        raise NotPossible(
            "No worker could be asked: the broker does not answer.", "Start the broker, then ask again."
        ) from None
    return len(due)


def _check_operator(cluster: Cluster) -> None:
    version = cluster.operator_version
    if not version:
        raise NotPossible(f"The operator is not on {cluster} yet.", "Deploy first.")
    numbers = releases.numbers(version)
    if numbers is not None and numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise NotPossible(
            f"The operator on {cluster} is {version}, older than {oldest}.", "Upgrade it on its page first."
        )


def _obstacle(link: ExternalSecret) -> tuple[str, str] | tuple[()]:
    """Return why a link cannot be read again and what to do first, or nothing."""
    if link.status == ExternalSecret.Status.NEVER:
        return f"{link.title} is not in the cluster yet.", "Deploy first."
    if link.refused:
        return f"{link.title} was not taken by the last deploy: {link.status_reason}", "Deploy again."
    return ()


def _record(cluster: Cluster, links: list[ExternalSecret], by: User) -> None:
    only = links[0] if len(links) == 1 else None
    accesses = sorted({link.access.name for link in links})
    audit.record(
        organization=cluster.organization,
        by=by,
        action="external_secret.read_again",
        target=only or cluster,
        details={"cluster": cluster.name, "accesses": accesses, "links": len(links)},
    )


# -- the worker's part ---------------------------------------------------------------------------------
def run(link_ids: list[str], by: int | None = None) -> None:
    """Ask the operator, wait for a moment, and keep on the rows what it says; a failure is kept there too.

    `by` is the id of the one who asked, and may have lost the right to meanwhile.
    """
    found = ExternalSecret.objects.filter(pk__in=link_ids).select_related(
        "cluster", "service", "access", "variant", "alias_of"
    )
    for _, group in groupby(found.order_by("cluster_id"), key=lambda link: link.cluster_id):
        of_one = list(group)
        with origin.of_worker(str(of_one[0].cluster_id)):
            _of_cluster(_permitted(of_one, by))


def _permitted(links: list[ExternalSecret], by: int | None) -> list[ExternalSecret]:
    """Return the links that the one who asked may still manage; the others say that they are not."""
    authority = permits.of(links[0].cluster, by)
    kept = [
        link
        for link in links
        if authority.allows(
            Permission.EXTERNAL_SECRET_MANAGE,
            cluster=link.cluster.name,
            namespace=link.namespace,
            secret=link.key,
        )
    ]
    lost = [link for link in links if link not in kept]
    _say(lost, "It was not read again: whoever asked is no longer permitted to.", "Ask for it anew.")
    return kept


def _of_cluster(links: list[ExternalSecret]) -> None:
    if not links:
        return
    cluster = links[0].cluster
    for link in links:
        # One object for all of them, as in a deploy.
        link.cluster = link.access.cluster = cluster
    try:
        silent = _ask(cluster, links)
    except kubernetes.ClusterError as error:
        _say(links, f"It could not be asked to be read again: {error.reason}", error.remedy)
    except Exception as error:
        told = mistakes.told("Reading again", error)
        _say(links, told.cause, told.remedy)
        raise
    else:
        pods = (
            f"Check the operator's pods in {cluster.operator_namespace}; the next look tells what came of it."
        )
        _say(silent, f"{ASKED[:-1]}, and has not answered yet.", pods)


def _ask(cluster: Cluster, links: list[ExternalSecret]) -> list[ExternalSecret]:
    """Annotate, wait, and look; return those of which the operator said nothing in time."""
    turn = _turn(cluster)
    keys = {state.key_of(link) for link in links}
    before = _objects(turn, keys)
    forcing.annotate(turn, sorted(before), forcing.mark())
    unanswered = _wait(turn, before)
    gone = [link for link in links if state.key_of(link) not in before]
    observe.look(turn, [link for link in links if state.key_of(link) in before])
    _say(gone, "Its ExternalSecret is not in the cluster.", "Deploy: it brings it back.")
    restart.ask_after_reading(cluster)
    return [link for link in links if state.key_of(link) in unanswered]


def _turn(cluster: Cluster) -> addons.Run:
    """Return what the steps' functions work with; nothing of it is a deploy's."""
    return addons.Run(
        cluster=cluster,
        door=kubernetes.connect(cluster, patience=PATIENCE, budget=20),
        log=lambda level, message: None,
        log_all=lambda level, messages: None,
        checkpoint=lambda: None,
        record=recording.Nowhere(),
    )


def _objects(turn: addons.Run, keys: set[state.Key]) -> state.Objects:
    """Return those of the objects that are there and ours."""
    if len(keys) > FEW:
        ours, _ = state.split(turn, state.every_console(turn))
        return {key: item for key, item in ours.items() if key in keys}
    found = [turn.door.get(manifests.API, manifests.KIND, name, space) for space, name in sorted(keys)]
    ours, _ = state.split(turn, [item for item in found if item is not None])
    return ours


def _wait(turn: addons.Run, before: state.Objects) -> set[state.Key]:
    """Wait until the operator has read each object; return those that it has not in time."""
    started = time.monotonic()
    left = set(before)

    def answered() -> bool:
        waited = time.monotonic() - started
        now = _objects(turn, left) if left else {}
        left.intersection_update(
            key for key in left if key in now and not _is_new(now[key], before[key], waited)
        )
        return not left

    waiting.until(turn, LONGEST, answered)
    return left


def _is_new(now: addons.Manifest, before: addons.Manifest, waited: float) -> bool:
    """Tell whether the operator has read since: what failed as before says so after a moment."""
    if conditions.ready(now).get("status") == "False":
        return conditions.ready(now) != conditions.ready(before) or waited > state.GRACE
    then, last = now.get("status") or {}, before.get("status") or {}
    return state.is_synced(now) and any(
        then.get(name) != last.get(name) for name in ("refreshTime", "syncedResourceVersion")
    )


def _say(links: list[ExternalSecret], reason: str, remedy: str) -> None:
    """Keep on rows that the answer is not there, and why."""
    ExternalSecret.objects.filter(pk__in=[link.pk for link in links]).update(
        status=ExternalSecret.Status.WAITING,
        status_reason=reason,
        status_remedy=remedy,
        checked_at=timezone.now(),
    )
