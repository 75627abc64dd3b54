"""Replace the key with which the console signs tokens for clouds."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from credentials import issuer


class Command(BaseCommand):
    help = (
        "Make a new key that signs the tokens by which clouds trust this console; it is published and signs at once. "
        "The keys before it stay published until --drop-old. Clouds that fetch the keys find the new one by themselves; "
        "where the keys were uploaded, upload them anew right after this, with the old and the new one in them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--drop-old", action="store_true", help="publish the newest key alone from now on"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["drop_old"]:
            self.stdout.write(f"The key {issuer.rotate()} signs from now on. Published keys: {_published()}.")
            return
        try:
            gone = issuer.drop_old()
        except issuer.StillNeeded as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Old keys dropped: {gone}. Published keys: {_published()}.")


def _published() -> int:
    return len(issuer.keys()["keys"])
