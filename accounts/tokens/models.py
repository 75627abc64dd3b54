"""The API token."""

import uuid
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.authority import Authority, Grant, built_in
from accounts.organizations.models import CustomRole, Membership, Organization
from accounts.roles import Role


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def owned_by(self, organization: Organization) -> Self:
        return self.filter(membership__organization=organization)

    def usable(self) -> Self:
        """Keep what is neither revoked nor expired."""
        return self.filter(revoked_at=None).exclude(expires_at__lte=timezone.now())

    def with_roles(self) -> Self:
        """Read what the properties need: the member and both kinds of roles."""
        return self.select_related("membership__user").prefetch_related(
            "custom_roles", "membership__custom_roles"
        )

    def seen_by(self, membership: Membership, *, all_of_them: bool) -> Self:
        """Keep a member's own, or the whole organization's."""
        owned = self.owned_by(membership.organization)
        return owned if all_of_them else owned.filter(membership=membership)


class ApiToken(models.Model):
    """A token for the API; of its value only a hash is kept, and the beginning to know it by.

    A person's acts as that member, within the token's own roles. An organization's acts as a machine, a member of
    its own (`user.is_machine`), so that nothing depends on who made it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    membership = models.ForeignKey(Membership, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    # What is shown: the value's beginning, for example `khp_3fA9…`.
    prefix = models.CharField(max_length=16)
    # SHA-256 of the whole value, which is random: no salt, no stretching.
    digest = models.CharField(max_length=64, unique=True)
    roles = ArrayField(models.CharField(max_length=16, choices=Role), default=list, blank=True)
    custom_roles = models.ManyToManyField(CustomRole, related_name="tokens", blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True)
    last_used_from = models.CharField(max_length=45, blank=True)
    created_by = models.CharField(max_length=160)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=160, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """What the audit log calls it: its name and what its value begins with."""
        return f"{self.name} ({self.prefix})"

    @property
    def is_of_the_organization(self) -> bool:
        """Whether it acts as a machine, and not as the person who made it."""
        return self.membership.user.is_machine

    @property
    def grants(self) -> tuple[Grant, ...]:
        """The token's own roles: those of its machine, or those that a person's token is narrowed to."""
        if self.is_of_the_organization:
            return self.membership.authority.layers[0]
        return (*map(built_in, self.roles), *(role.grant for role in self.custom_roles.all()))

    @property
    def role_names(self) -> str:
        """The token's roles in words."""
        return ", ".join(grant.role for grant in self.grants) or "No role"

    @property
    def authority(self) -> Authority:
        """What the member may do, as far as one of the token's roles allows it too."""
        if self.is_of_the_organization:
            return self.membership.authority
        return self.membership.authority.narrowed_by(self.grants)

    @property
    def state(self) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        over = self.expires_at is not None and self.expires_at <= timezone.now()
        return "expired" if over else "active"


class IdempotencyKey(models.Model):
    """A call that a token sent with a key: what it answered, kept for a day so that it is not carried out twice.

    `digest` is an HMAC of the call and its body, which may hold a credential; `answer` is None where it held one.
    """

    token = models.ForeignKey(ApiToken, models.CASCADE, related_name="idempotency_keys")
    key = models.CharField(max_length=200)
    call = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    answer = models.TextField(null=True)  # noqa: DJ001 no answer is kept, which an empty one does not say
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "key"], name="idempotency_key_is_used_once")]

    def __str__(self) -> str:
        return self.call
