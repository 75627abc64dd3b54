"""Write every encrypted value anew with the newest key, while the console runs; then the old key can be dropped."""

import signal
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.encryption import keys, rotating


class Command(BaseCommand):
    help = (
        "Write every encrypted value anew with the first of FIELD_ENCRYPTION_KEY. The console may run meanwhile; it can "
        "be stopped and started again. Afterwards --drop says whether an old key can be taken out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="only count the values under each key")
        parser.add_argument(
            "--drop", metavar="KEY", help="note that a key is not needed any more, if that is so"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["drop"]:
            self._drop(options["drop"])
            return
        keys.may_write()
        report = rotating.run(write=not options["check"], go_on=_until_stopped(), tell=self.stdout.write)
        self._tell(report)
        if report.stopped:
            raise CommandError(
                f"Stopped after {report.written} values; start it again to go on.", returncode=130
            )
        if report.unreached:
            raise CommandError(
                f"Not read, or not written: {', '.join(report.unreached)}. Start this again once it answers and the access "
                "may write there; until then no key can be dropped."
            )
        if report.unreadable:
            shown = "\n  ".join(report.unreadable[:20])
            raise CommandError(
                f"{len(report.unreadable)} values are under no key that was given:\n  {shown}\nPut their key back "
                "behind the newest one, and start this again."
            )

    def _drop(self, name: str) -> None:
        try:
            rotating.drop(name)
        except rotating.StillNeeded as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"The key {name} is not needed any more. Take it out of FIELD_ENCRYPTION_KEY and start the console and its "
            "workers again. Backups from before still need it."
        )

    def _tell(self, report: rotating.Report) -> None:
        total: Counter[str] = sum(report.found.values(), Counter())
        for name in keys.given():
            place = "newest" if name == keys.newest() else "old"
            self.stdout.write(f"Key {name} ({place}): {total[name]} values")
        if report.written:
            self.stdout.write(f"Written anew: {report.written}")
        idle = [name for name in keys.given() if name != keys.newest() and not total[name]]
        if idle and not (report.stopped or report.unreadable or report.unreached):
            self.stdout.write(
                "Nothing needs " + ", ".join(idle) + ": manage.py rotate_encryption_keys --drop " + idle[0]
            )


def _until_stopped() -> Any:
    """Return a function that says whether to go on: until the first SIGINT or SIGTERM, at the end of a batch."""
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: asked.append(got))
    return lambda: not asked
