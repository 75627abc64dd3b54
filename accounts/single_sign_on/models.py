"""The identity provider of an organization, the e-mail domains that lead to it, and whom it is known to mean."""

import uuid
from typing import Self

from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from accounts.encryption import EncryptedTextField
from accounts.organizations.models import Organization, User
from accounts.roles import Role

domain_rule = RegexValidator(
    r"^(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\Z",
    "Write a domain such as acme.example, in lower case.",
)


class IdentityProviderQuerySet(models.QuerySet["IdentityProvider"]):
    def open(self) -> Self:
        """Keep those of organizations that are still there, and join these."""
        return self.filter(organization__deleted_at=None).select_related("organization")


class IdentityProvider(models.Model):
    """An OpenID Connect issuer that one organization trusts to say who its members are.

    `generation` grows when it becomes another one (issuer or client): sessions and tests of before count no more.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.OneToOneField(Organization, models.CASCADE, related_name="identity_provider")
    # Exactly as the issuer writes it: ID tokens are compared with it.
    issuer = models.URLField(max_length=300)
    client_id = models.CharField(max_length=255)
    client_secret = EncryptedTextField(blank=True)
    # What somebody becomes who comes in by it for the first time; blank lets in nobody who was not invited.
    default_role = models.CharField(max_length=16, choices=Role, blank=True)
    # A sign-in by it counts as one with a second factor, whether it says so or not.
    trusted_for_second_factor = models.BooleanField(default=False)
    generation = models.PositiveIntegerField(default=1)
    # When the issuer last described itself well, and when somebody last signed in by it as a test.
    checked_at = models.DateTimeField(null=True)
    tested_at = models.DateTimeField(null=True)
    tested_by = models.CharField(max_length=160, blank=True)
    set_at = models.DateTimeField(default=timezone.now)
    set_by = models.CharField(max_length=160, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = IdentityProviderQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                # Whom an issuer alone lets in may not hand out roles.
                condition=models.Q(default_role__in=["", Role.VIEWER, Role.AUDITOR, Role.DEVOPS]),
                name="who_comes_by_single_sign_on_manages_nobody",
            )
        ]

    def __str__(self) -> str:
        return self.issuer

    @property
    def domain_names(self) -> list[str]:
        return sorted(domain.name for domain in self.domains.all())


class Domain(models.Model):
    """An e-mail domain whose people one identity provider speaks for. No two organizations have the same."""

    provider = models.ForeignKey(IdentityProvider, models.CASCADE, related_name="domains")
    name = models.CharField(max_length=253, validators=[domain_rule])

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["name"], name="a_domain_has_one_organization")]

    def __str__(self) -> str:
        return self.name


class Identity(models.Model):
    """Whom an issuer means by a subject, in one organization; remembered from the first sign-in on."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="identities")
    user = models.ForeignKey(User, models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "issuer", "subject"], name="a_subject_is_one_person"
            ),
            models.UniqueConstraint(fields=["organization", "user"], name="a_person_is_one_subject"),
        ]

    def __str__(self) -> str:
        return str(self.user)
