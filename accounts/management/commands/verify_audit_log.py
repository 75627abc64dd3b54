"""Check the chains of the audit log, and digests and exports of it; exits with 1 where something is wrong."""

import datetime
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date

from accounts.audit import chain, digests, verify_export
from accounts.audit.models import AuditEvent
from accounts.organizations.models import Organization


class Command(BaseCommand):
    help = "Check that no audit event was edited, removed, put in or reordered; say where, and exit with 1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="only this one's chain")
        parser.add_argument("--since", metavar="DAY", help="only events since a day, as 2026-11-21 (UTC)")
        parser.add_argument("--digests", type=Path, metavar="FILE", help="digests that were kept elsewhere")
        parser.add_argument("--export", type=Path, metavar="FILE", help="check an exported file (JSON lines)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["export"]:
            sys.exit(self._export(options["export"]))
        outside, keys = self._outside(options["digests"])
        organizations = Organization.objects.order_by("slug")
        if options["organization"]:
            organizations = organizations.filter(slug=options["organization"])
            if not organizations:
                raise CommandError(f"There is no organization {options['organization']}.")
        since = self._since(options["since"])
        well = [self._check(organization, outside, keys, since) for organization in organizations]
        if not all(well):
            sys.exit(1)

    def _outside(self, path: Path | None) -> tuple[list[dict[str, Any]], dict[str, str]]:
        if path is None:
            return [], {}
        try:
            with path.open(encoding="utf-8") as file:
                return digests.parse(file)
        except (OSError, digests.Unreadable) as error:
            raise CommandError(f"{path}: {error}") from error

    def _since(self, day: str | None) -> datetime.datetime | None:
        if day is None:
            return None
        try:
            parsed = parse_date(day)
        except ValueError:
            parsed = None
        if parsed is None:
            raise CommandError(f"{day} is no day; write it as 2026-11-21.")
        return datetime.datetime.combine(parsed, datetime.time(), datetime.UTC)

    def _check(
        self,
        organization: Organization,
        outside: list[dict[str, Any]],
        keys: dict[str, str],
        since: datetime.datetime | None,
    ) -> bool:
        ours = digests.public_keys()
        kept = digests.check(organization, digests.kept(organization), ours)
        brought = digests.check(organization, outside, ours | keys)
        start = None
        if since is not None:
            owned = AuditEvent.objects.owned_by(organization).values_list("sequence", flat=True)
            # Where nothing happened since then, the newest event alone is looked at.
            start = owned.filter(at__gte=since).order_by("at", "sequence").first() or owned.first()
        found = chain.verify(organization, since=start, known=kept.known | brought.known)
        problems = [*kept.problems, *brought.problems, *([] if found.ok else [found.problem])]
        for problem in problems:
            self.stderr.write(f"{organization.slug}: {problem}")
        signed = sum(kept.keys.values()) + sum(brought.keys.values())
        if not problems:
            self.stdout.write(f"{organization.slug}: {found.checked} events follow; {signed} digests agree.")
        self._foreign(organization, brought, ours)
        return not problems

    def _foreign(self, organization: Organization, brought: digests.Checked, ours: dict[str, str]) -> None:
        """Say where a file brought its own key: only whoever reads knows whether to trust it."""
        for key, number in brought.keys.items():
            if key not in ours:
                self.stdout.write(
                    f"{organization.slug}: {number} of the file are signed with {key}, not ours."
                )

    def _export(self, path: Path) -> int:
        try:
            with path.open(encoding="utf-8", newline="\n") as file:
                self.stdout.write(verify_export.check(file))
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        except verify_export.Wrong as wrong:
            self.stderr.write(str(wrong))
            return 1
        return 0
