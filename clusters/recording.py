"""What a run writes down of itself: log lines, and each change before and after it is made."""

import contextlib
import datetime
from collections.abc import Iterable

from django.db import IntegrityError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from clusters import addons, leases
from clusters.addons import Change
from clusters.models import Deploy, DeployChange, DeployLine


class Log:
    """The log of a deploy, numbered through all its steps and turns without a gap."""

    def __init__(self, deploy: Deploy) -> None:
        self.deploy = deploy
        self.last = deploy.lines.aggregate(last=Max("number"))["last"] or 0

    def write(self, step: str, level: addons.Level, messages: list[str]) -> None:
        """Write lines of one step.

        :raises LeaseLost: another worker has the deploy
        """
        rows = [
            DeployLine(deploy=self.deploy, step=step, number=number, level=level, message=message)
            for number, message in enumerate(messages, start=self.last + 1)
        ]
        try:
            self._insert(rows)
        except IntegrityError:
            # Either the deploy is another worker's by now, or one that lost it was late with a line.
            self._go_on()
            for number, row in enumerate(rows, start=self.last + 1):
                row.number, row.pk = number, None
            self._insert(rows)
        self.last += len(rows)

    def _go_on(self) -> None:
        mine = Deploy.objects.filter(pk=self.deploy.pk, fence=self.deploy.fence, status=Deploy.Status.RUNNING)
        if not mine.exists():
            raise leases.LeaseLost
        self.last = self.deploy.lines.aggregate(last=Max("number"))["last"] or 0

    @staticmethod
    def _insert(rows: list[DeployLine]) -> None:
        # One statement is a transaction of its own; inside another one it needs a savepoint.
        guard = transaction.atomic() if connection.in_atomic_block else contextlib.nullcontext()
        with guard:
            DeployLine.objects.bulk_create(rows)


class Changes:
    """The changes of one step of a deploy, as rows."""

    def __init__(self, deploy: Deploy, step: str) -> None:
        self.deploy, self.step = deploy, step

    def intend(self, changes: Iterable[Change]) -> None:
        """Write down what is about to be changed; what an earlier turn wrote is replaced."""
        self._write(changes, None)

    def done(self, changes: Iterable[Change]) -> None:
        """Note that the changes are made; those that change nothing are not kept."""
        self._write(changes, timezone.now())

    def _write(self, changes: Iterable[Change], at: datetime.datetime | None) -> None:
        last = {change.key: change for change in changes if change.action != "unchanged"}
        rows = [
            DeployChange(
                deploy=self.deploy, step=self.step, kind=change.kind, namespace=change.namespace, name=change.name,
                facts=change.facts(), done_at=at,
            )
            for change in last.values()
        ]  # fmt: skip
        DeployChange.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["deploy", "kind", "namespace", "name"],
            update_fields=["step", "facts", "done_at"] if at is None else ["facts", "done_at"],
        )

    def settle(self, unchanged: Iterable[Change]) -> None:
        """Note as made what an earlier turn began and this one finds in step."""
        if self.deploy.fence < 2:
            # There was no earlier turn.
            return
        keys = {change.key for change in unchanged if change.action == "unchanged"}
        left = self.deploy.changes.filter(step=self.step, done_at=None)
        mine = [row.pk for row in left if (row.kind, row.namespace, row.name) in keys]
        if mine:
            DeployChange.objects.filter(pk__in=mine).update(done_at=timezone.now())

    def mine(self, kind: str) -> set[str]:
        return set(self.deploy.changes.filter(kind=kind).values_list("name", flat=True))

    def changed(self, *kinds: str) -> set[str]:
        of_cluster = Deploy.objects.filter(cluster=self.deploy.cluster_id, number__lt=self.deploy.number)
        well = of_cluster.filter(status=Deploy.Status.SUCCEEDED, kind=Deploy.Kind.DEPLOY)
        since = well.aggregate(last=Max("number"))["last"] or 0
        rows = DeployChange.objects.filter(
            deploy__cluster=self.deploy.cluster_id,
            deploy__number__gt=since,
            deploy__number__lte=self.deploy.number,
            kind__in=kinds,
        )
        return set(rows.values_list("name", flat=True))


class Nowhere:
    """The record of a look, which changes nothing."""

    def intend(self, changes: Iterable[Change]) -> None:
        raise AssertionError("A look changes nothing.")

    done = settle = intend

    def changed(self, *kinds: str) -> set[str]:
        return set()

    mine = changed
