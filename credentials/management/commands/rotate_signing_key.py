"""Replace the key with which the console signs tokens for clouds."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from credentials import issuer


class Command(BaseCommand):
    help = (
        "Make a new key that signs the tokens by which clouds trust this console; it is published and signs at once, unless "
        "--publish-only published it before. The keys before it stay published until --drop-old. Clouds that fetch the keys "
        "keep them for some time, and where they were uploaded they have to be uploaded anew: start with --publish-only, and "
        "run this without it once every cloud has the new key."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        steps = parser.add_mutually_exclusive_group()
        steps.add_argument(
            "--publish-only", action="store_true", help="publish the new key; the next run lets it sign"
        )
        steps.add_argument(
            "--drop-old", action="store_true", help="take back the keys that do not sign any more"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["publish_only"]:
            self.stdout.write(
                f"The key {issuer.publish_next()} is published and signs after the next run. "
                f"Published keys: {_published()}."
            )
            return
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
