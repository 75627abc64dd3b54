"""What a step is given, for tests that call one step alone."""

from collections.abc import Callable
from typing import Any

from clusters import addons, kubernetes, recording
from clusters.models import Cluster, Deploy


class Log(list[tuple[str, str]]):
    """A log in memory."""

    def __call__(self, level: str, message: str) -> None:
        self.append((level, message))

    def all(self, level: str, messages: list[str]) -> None:
        self.extend((level, message) for message in messages)

    def of(self, level: str) -> str:
        return "\n".join(message for found, message in self if found == level)


def make_run(cluster: Cluster, checkpoint: Callable[[], None] = lambda: None, **facts: Any) -> addons.Run:
    """Return a run of a deploy of its own."""
    number = cluster.deploys.count() + 1
    deploy = Deploy.objects.create(
        cluster=cluster, number=number, by_name="x", status="failed", finished_at=cluster.seen_at
    )
    log = Log()
    return addons.Run(
        cluster=cluster,
        door=kubernetes.connect(cluster),
        log=log,
        log_all=log.all,
        checkpoint=checkpoint,
        record=recording.Changes(deploy, "step"),
        turn=str(number),
        **facts,
    )
