"""What a run writes down of itself: log lines, and each change before and after it is made."""

import datetime
from collections.abc import Callable, Iterable

from django.db import IntegrityError, transaction
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

    def of(self, step: str) -> Callable[[addons.Level, str], None]:
        """Return the function that writes the lines of one step."""

        def write(level: addons.Level, message: str) -> None:
            self.write(step, level, message)

        return write

    def write(self, step: str, level: addons.Level, message: str) -> None:
        """Write a line.

        :raises LeaseLost: another worker has written a line of that number
        """
        try:
            with transaction.atomic():
                DeployLine.objects.create(
                    deploy=self.deploy, step=step, number=self.last + 1, level=level, message=message
                )
        except IntegrityError:
            raise leases.LeaseLost from None
        self.last += 1


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
        rows = [
            DeployChange(
                deploy=self.deploy, step=self.step, kind=change.kind, namespace=change.namespace, name=change.name,
                facts=change.facts(), done_at=at,
            )
            for change in changes
            if change.action != "unchanged"
        ]  # fmt: skip
        DeployChange.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["deploy", "kind", "namespace", "name"],
            update_fields=["step", "facts", "done_at"] if at is None else ["facts", "done_at"],
        )

    def settle(self, unchanged: Iterable[Change]) -> None:
        """Note as made what an earlier turn began and this one finds in step."""
        keys = {change.key for change in unchanged if change.action == "unchanged"}
        left = self.deploy.changes.filter(step=self.step, done_at=None)
        mine = [row.pk for row in left if (row.kind, row.namespace, row.name) in keys]
        if mine:
            DeployChange.objects.filter(pk__in=mine).update(done_at=timezone.now())

    def changed(self, kind: str) -> set[str]:
        return set(self.deploy.changes.filter(kind=kind).values_list("name", flat=True))


class Nowhere:
    """The record of a look, which changes nothing."""

    def intend(self, changes: Iterable[Change]) -> None:
        raise AssertionError("A look changes nothing.")

    done = settle = intend

    def changed(self, kind: str) -> set[str]:
        return set()
