"""Help a person who lost a device, or lock one out: what nobody in an organization may do, as people are in several."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.profile import services
from accounts.sign_in import factors, records, sessions


class Command(BaseCommand):
    help = "End a person's sessions, take the second factors away, or disable the account; each is in the audit logs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--end-sessions", action="store_true", help="everywhere, at the next request")
        parser.add_argument("--remove-factors", action="store_true", help="app, passkeys and recovery codes")
        locked = parser.add_mutually_exclusive_group()
        locked.add_argument("--disable", action="store_true", help="no sign-in, no session, no API token")
        locked.add_argument("--enable", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.filter(email=options["email"].lower(), is_machine=False).first()
        if person is None:
            raise CommandError(f"Nobody has the address {options['email']}.")
        try:
            with transaction.atomic():
                said = self._act(person, options)
        except IntegrityError as error:
            raise CommandError(
                "An organization would be left without an owner. Make somebody else one first."
            ) from error
        self.stdout.write(f"{person.email}: {', '.join(said) or 'nothing was asked for'}.")

    def _act(self, person: User, options: dict[str, Any]) -> list[str]:
        said = []
        if options["disable"] or options["enable"]:
            person.is_active = options["enable"]
            person.save(update_fields=["is_active"])
            action = "person.enabled" if person.is_active else "person.disabled"
            records.everywhere(user=person, action=action, by=None)
            said.append("enabled" if person.is_active else "disabled")
        if options["remove_factors"]:
            # Recovery codes go with the last.
            found = [one for one in factors.of(person) if one.type != factors.Type.RECOVERY_CODES]
            for factor in found:
                services.remove(factor=factor, by=None)
            said.append(f"{len(found)} second factor{'s' if len(found) != 1 else ''} removed")
        if options["end_sessions"] or options["disable"]:
            ended = sessions.end_others(user=person, kept=None, by=None)
            said.append(f"{ended} session{'s' if ended != 1 else ''} ended")
        return said
