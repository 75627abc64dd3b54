"""Make the daily digests that are due, and write them out to be kept elsewhere."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.audit import digests, signing
from accounts.organizations.models import Organization


class Command(BaseCommand):
    help = "Make the signed daily digests of the audit log that are due; with --organization print them as JSON lines."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--organization", metavar="SLUG", help="print this one's digests, to keep elsewhere"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["organization"]
        organizations = (
            Organization.objects.filter(slug=slug) if slug else Organization.objects.order_by("slug")
        )
        if slug and not organizations:
            raise CommandError(f"There is no organization {slug}.")
        made = sum(digests.make(organization) for organization in organizations)
        if not slug:
            public = signing.public_key()
            self.stdout.write(f"{made} digests made. Key {signing.key_id(public)}, public half {public}.")
            return
        for line in digests.lines(organizations[0]):
            self.stdout.write(line, ending="")
