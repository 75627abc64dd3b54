"""Restarting workloads whose values changed: a mark on their pods' template that is another one then.

A deploy puts the mark there and leaves it alone while nothing else of the workload changes; a look that sees another
value asks a worker to replace it. The mark is keyed, so that nobody learns from it what a value could be.
"""

import logging

from django.core.cache import cache
from django.db import transaction
from django.utils.crypto import salted_hmac
from kombu.exceptions import OperationalError

from accounts.audit import services as audit
from clusters import addons, kubernetes, recording
from clusters.kubernetes import fields
from clusters.models import Cluster, Deploy
from external_secrets import ownership, tasks, wanted, workloads
from external_secrets.models import ExternalSecret
from external_secrets.ownership import Live, Place
from external_secrets.steps import state, targets

logger = logging.getLogger(__name__)

STALE = "external_secrets.stale"
ATTEMPTS = 3


def mark(run: addons.Run, place: Place, secrets: set[str]) -> str:
    """Return the mark for the Secrets after whose change a workload restarts; empty when it is not known."""
    found = [(name, targets.of(run, (place[1], name))) for name in sorted(secrets)]
    known = [f"{name}={target.digest}" for name, target in found if target and target.digest]
    # The next run of a CronJob takes a new value up by itself.
    if place[0] == "CronJob" or not secrets or len(known) < len(secrets):
        return ""
    return salted_hmac("external_secrets.restart", "\n".join(known), algorithm="sha256").hexdigest()[:32]


def secrets_of(fits: list[wanted.Wanted]) -> set[str]:
    """Return the Secrets after whose change their workload restarts."""
    return {one.secret for one in fits if one.link.restart_on_change}


def configured(place: Place, fits: list[wanted.Wanted]) -> str:
    """Return what stands for the mark where no cluster is asked."""
    return "(of its values)" if place[0] != "CronJob" and secrets_of(fits) else ""


def note(run: addons.Run, place: Place) -> None:
    """Remember that a workload runs with a value that is not the newest."""
    run.facts.setdefault(STALE, []).append(place)


def ask(run: addons.Run) -> None:
    """Have a worker restart what this look found."""
    if run.facts.get(STALE):
        _send(run.cluster)


def ask_after_reading(cluster: Cluster) -> None:
    """Have a worker see whether values that were just read again are new, if any link of the cluster wants to know."""
    if ExternalSecret.objects.filter(cluster=cluster, restart_on_change=True).exists():
        _send(cluster)


def _send(cluster: Cluster) -> None:
    try:
        tasks.restart_changed.delay(cluster_id=str(cluster.pk))
    except OperationalError:
        logger.warning("The broker is away; the next look asks again for cluster %s.", cluster.pk)


def restart_changed(cluster: Cluster) -> int:
    """Restart the workloads that run with an old value and whose links ask for it; return how many were.

    Nothing while a deploy runs: it may change the same workloads, and the look after it comes back to this.
    """
    if cluster.deploys.filter(status=Deploy.Status.RUNNING).exists():
        return 0
    run = _run(cluster)
    links = [link for link in state.links_of(cluster, run.facts) if link.restart_on_change]
    targets.read(run, links)
    return sum(
        _restart(run, place, environment, links)
        for place, environment in ownership.read_all(run.door).items()
    )


def _run(cluster: Cluster) -> addons.Run:
    return addons.Run(
        cluster=cluster,
        door=kubernetes.connect(cluster),
        log=lambda level, message: None,
        log_all=lambda level, messages: None,
        checkpoint=lambda: None,
        record=recording.Nowhere(),
    )


def _restart(run: addons.Run, place: Place, environment: Live, links: list[ExternalSecret]) -> bool:
    mine = [link for link in links if wanted.is_for(link, place)]
    if not _is_stale(run, place, environment, mine) or not _can_start(run, place, environment):
        return False
    # Once in the shortest of their intervals: a value that changes more often must not keep a service restarting.
    seconds = min(link.refresh_seconds for link in mine)
    once = f"restarted:{run.cluster.pk}:{'/'.join(place)}"
    if not cache.add(once, 1, timeout=seconds):
        return False
    try:
        if _try(run, place, environment, mine):
            return True
    except kubernetes.ClusterError as error:
        logger.warning("%s of cluster %s was not restarted: %s", place, run.cluster.pk, type(error).__name__)
    # The next look sees what is so then.
    cache.delete(once)
    return False


def _can_start(run: addons.Run, place: Place, environment: Live) -> bool:
    """Tell whether new pods would find every Secret that we gave them, as far as those may be looked at."""
    keys = [(place[1], name) for name in sorted(environment.secrets)]
    return all(targets.look(run, key) is not None or targets.is_hidden(run, key) for key in keys)


def _is_stale(run: addons.Run, place: Place, environment: Live, links: list[ExternalSecret]) -> str:
    """Return the mark that a workload should have, or an empty string when it has it or nobody knows."""
    is_now = environment.annotations.get(workloads.SYNCED)
    to_be = mark(run, place, {link.object_name for link in links} & environment.secrets)
    return to_be if is_now and to_be != is_now else ""


def _try(run: addons.Run, place: Place, environment: Live, links: list[ExternalSecret]) -> bool:
    """Put a new mark on a workload. It is read anew when somebody, if only its controller, writes to it meanwhile."""
    for _ in range(ATTEMPTS):
        to_be = _is_stale(run, place, environment, links)
        if not to_be:
            return False
        try:
            _write(run, place, environment, to_be, sorted(link.title for link in links))
        except kubernetes.Changed:
            again = ownership.read_one(run.door, place)
            if again is None:
                return False
            environment = again
        else:
            return True
    return False


def _write(run: addons.Run, place: Place, environment: Live, to_be: str, titles: list[str]) -> None:
    """Put a new mark on a workload, and nothing else; the event of it is written in the same transaction.

    :raises Changed: it is not as it was read any more
    """
    body = fields.extract(environment.manifest)
    body["metadata"]["resourceVersion"] = environment.manifest["metadata"]["resourceVersion"]
    body["spec"]["template"]["metadata"]["annotations"][workloads.SYNCED] = to_be
    kind, namespace, name = place
    service = run.cluster.services.filter(kind=kind, namespace=namespace, name=name).first()
    details = {"cluster": run.cluster.name, "service": f"{namespace}/{name}", "changed": ", ".join(titles)}
    with transaction.atomic():
        audit.record(
            organization=run.cluster.organization,
            by=None,
            action="service.restarted",
            target=service or run.cluster,
            details=details,
        )
        run.door.apply(body)
