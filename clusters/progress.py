"""What the viewers of a deploy see of it, read once for all of them."""

import contextlib
import datetime
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.utils import timezone
from redis import RedisError

from clusters.models import Deploy, DeployLine, DeployStep

# A page asks each second; so long an answer is good for everybody who asks.
SECONDS = 1
# The end of the log that is kept with it: whoever is further behind reads the rows.
TAIL = 200
LINES = 2000
_ENDED = (
    DeployStep.Status.SUCCEEDED,
    DeployStep.Status.FAILED,
    DeployStep.Status.CANCELLED,
    DeployStep.Status.SKIPPED,
)


@dataclass(frozen=True, slots=True)
class Progress:
    """A deploy at one moment: the row, its steps, and the last lines of its log."""

    deploy: Deploy
    steps: list[DeployStep]
    tail: list[DeployLine]

    @property
    def done(self) -> int:
        return sum(step.status in _ENDED for step in self.steps)

    @property
    def succeeded(self) -> int:
        return sum(step.status == DeployStep.Status.SUCCEEDED for step in self.steps)

    @property
    def current(self) -> DeployStep | None:
        return next((step for step in self.steps if step.status == DeployStep.Status.RUNNING), None)

    @property
    def title(self) -> str:
        """The tab's title: how far it is, or how it ended when that was not well."""
        state = f"({self.done}/{len(self.steps)}) " if not self.deploy.is_over else ""
        ended = {Deploy.Status.FAILED: "Failed: ", Deploy.Status.CANCELLED: "Cancelled: "}
        return f"{ended.get(Deploy.Status(self.deploy.status), state)}Deploy {self.deploy.number}"

    def lines(self, after: int) -> list[DeployLine]:
        """Return the lines after a number, of more than 2,000 the last ones."""
        if self.tail and self.tail[0].number <= after + 1:
            return [line for line in self.tail if line.number > after]
        if not self.tail:
            return []
        last = self.tail[-1].number
        # Not beyond the tail: the rest of the page is as it was then. Of a long log the end is what matters.
        return list(self.deploy.lines.filter(number__gt=max(after, last - LINES), number__lte=last))


def of(deploy: Deploy) -> Progress:
    """Return a deploy's progress, at most a second old while it runs; with the cache away, as it is."""
    if not deploy.is_over:
        with contextlib.suppress(RedisError):
            found = cache.get_or_set(f"deploy-progress:{deploy.pk}", lambda: _read(deploy.pk), SECONDS)
            if isinstance(found, Progress):
                return found
    return _read(deploy.pk)


def _read(pk: Any) -> Progress:
    # The row first: when it says that the deploy is over, the steps and lines below are the last.
    deploy = Deploy.objects.defer("snapshot").get(pk=pk)
    tail = list(deploy.lines.order_by("-number")[:TAIL])
    return Progress(deploy, list(deploy.steps.all()), tail[::-1])


def duration(begin: datetime.datetime | None, end: datetime.datetime | None) -> str:
    """Return how long something took so far, as `1 min 12 s`, or an empty string before it began."""
    if begin is None:
        return ""
    seconds = ((end or timezone.now()) - begin).total_seconds()
    if seconds < 1 and end is not None:
        return f"{round(seconds * 1000)} ms"
    return f"{round(seconds) // 60} min {round(seconds) % 60} s" if seconds >= 60 else f"{round(seconds)} s"
