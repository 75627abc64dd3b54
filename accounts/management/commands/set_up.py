"""Print a link with which the first owner is made in the browser."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.sign_in import first


class Command(BaseCommand):
    help = "Print a link that makes the first owner: it works once, for an hour, while there is nobody."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            link = first.make_link()
        except first.NotFirst as error:
            raise CommandError(
                "Somebody is here already. An owner invites others; create_organization makes another organization."
            ) from error
        self.stdout.write(link)
