"""Create an organization and its first owner, whose password is asked for."""

import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.models import Organization, User
from accounts.organizations import services


class Command(BaseCommand):
    help = "Create an organization and its owner; an existing user becomes the owner without a new password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", help="its name, for example “Acme”")
        parser.add_argument(
            "--slug", required=True, help="its part of the URLs: lower-case letters, digits, hyphens"
        )
        parser.add_argument("--owner", required=True, metavar="EMAIL")
        parser.add_argument("--name", default="", help="the owner's name")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        organization = Organization(name=options["organization"], slug=options["slug"])
        try:
            organization.full_clean()
            owner = User.objects.filter(email=options["owner"].lower()).first() or self._owner(options)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        services.create(name=organization.name, slug=organization.slug, by=owner)
        self.stdout.write(f"{owner.email} owns {organization.name}.")

    def _owner(self, options: dict[str, Any]) -> User:
        owner = User(
            email=options["owner"].lower(), name=options["name"] or options["owner"].partition("@")[0]
        )
        owner.clean_fields(exclude=["password"])
        password = getpass.getpass(f"Password for {owner.email}: ")
        validate_password(password, owner)
        return User.objects.create_user(owner.email, password, name=owner.name)
