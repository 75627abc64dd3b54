"""Write an organization's audit log, also of one that was deleted, to the standard output."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import AuditEvent, Organization


class Command(BaseCommand):
    help = "Print an organization's audit log, oldest first, one JSON object a line; a deleted one's is closed-<number>."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "organization", help="its address (slug); without a match the known ones are listed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        organization = Organization.objects.filter(slug=options["organization"]).first()
        if organization is None:
            known = Organization.objects.order_by("slug").values_list("slug", "name")
            names = "\n".join(f"  {slug}  {name}" for slug, name in known)
            raise CommandError(f"There is no organization {options['organization']}. There are:\n{names}")
        fields = [field.attname for field in AuditEvent._meta.concrete_fields]
        events = AuditEvent.objects.owned_by(organization).order_by("sequence").values(*fields)
        for event in events.iterator(chunk_size=1000):
            line = event | {"at": event["at"].isoformat(timespec="microseconds")}
            self.stdout.write(json.dumps(line, ensure_ascii=False, default=str))
