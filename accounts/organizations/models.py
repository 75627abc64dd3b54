"""Users, organizations and memberships."""

import uuid
from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.functional import cached_property

from accounts.authority import Authority, Grant, built_in, custom
from accounts.roles import Permission, Role, in_order

slug_rule = RegexValidator(
    r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z", "Use lower-case letters, digits and hyphens, at most 63."
)


class UserManager(BaseUserManager["User"]):
    """Makes users; e-mail addresses are kept in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser):
    """A person, who signs in with an e-mail address; or a machine, which acts by an organization's API token alone."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    is_machine = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    objects = UserManager()

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def initials(self) -> str:
        """One or two letters for the avatar."""
        return "".join(word[0] for word in str(self).split()[:2]).upper()


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def open(self) -> Self:
        """Keep those that were not deleted."""
        return self.filter(deleted_at=None)

    def of(self, user: User) -> Self:
        """Keep the organizations that a person is a member of, by name."""
        return self.open().filter(memberships__user=user).order_by("name", "pk")


class Organization(models.Model):
    """A tenant; everything belongs to one."""

    name = models.CharField(max_length=80)
    slug = models.CharField(max_length=63, unique=True, validators=[slug_rule])
    # Members sign in with a second factor, or a passkey, or are let in no further than to set one up.
    second_factor_required = models.BooleanField(default=False)
    # Members sign in through the organization's identity provider (`identity_provider`); owners may also without.
    sso_required = models.BooleanField(default=False)
    # How many days audit events are kept; None is for ever.
    audit_days = models.PositiveIntegerField(null=True, blank=True)
    # Put on every secret that the console makes in a secret manager: `{name: value}`.
    default_tags = models.JSONField(default=dict, blank=True)
    # The console may keep secrets of its own for the organization: the built-in store.
    built_in_store = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    # Once deleted it is nobody's any more; the row stays, because its audit log does.
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = OrganizationQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        """One or two letters for the switcher."""
        return "".join(word[0] for word in self.name.split()[:2]).upper()


class CustomRoleQuerySet(models.QuerySet["CustomRole"]):
    def owned_by(self, organization: Organization) -> Self:
        return self.filter(organization=organization)


class CustomRole(models.Model):
    """A role that an organization made: permissions, perhaps limited to clusters, namespaces and names of secrets.

    The three limits are as in `accounts.authority.Scope`. A limited role holds only what makes sense there:
    `roles.OF_A_CLUSTER`, `roles.OF_A_NAMESPACE`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="custom_roles")
    name = models.CharField(max_length=40)
    description = models.CharField(max_length=200, blank=True)
    permissions = ArrayField(models.CharField(max_length=40), default=list)
    clusters = ArrayField(models.CharField(max_length=63), default=list, blank=True)
    namespaces = ArrayField(models.CharField(max_length=63), default=list, blank=True)
    prefixes = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CustomRoleQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint("organization", Lower("name"), name="custom_role_name_is_unique")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def grant(self) -> Grant:
        """What this role allows, and where."""
        return custom(self.name, self.permissions, self.clusters, self.namespaces, self.prefixes)


class MembershipQuerySet(models.QuerySet["Membership"]):
    def owned_by(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def owners(self) -> Self:
        """Keep the owners who can sign in."""
        return self.filter(roles__contains=[Role.OWNER], user__is_active=True, user__is_machine=False)


class Membership(models.Model):
    """A person in an organization, with one or several roles: built-in ones by their word, and custom ones.

    The database keeps an active owner in every organization that is not deleted (migration 0007).
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    roles = ArrayField(models.CharField(max_length=16, choices=Role), default=list, blank=True)
    custom_roles = models.ManyToManyField(CustomRole, related_name="memberships", blank=True)
    # When the person last asked for anything here, to within five minutes.
    last_active_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="one_membership_per_person"),
            models.CheckConstraint(
                condition=Q(roles__contained_by=list(Role.values)), name="membership_roles_are_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role_names})"

    @cached_property
    def authority(self) -> Authority:
        """What this member may do, and where."""
        own = [role.grant for role in self.custom_roles.all()]
        return Authority(((*(built_in(role) for role in in_order(self.roles)), *own),))

    @property
    def role_names(self) -> str:
        """The roles in words, strongest first."""
        return ", ".join(self.role_list) or "No role"

    @property
    def role_list(self) -> list[str]:
        """Each role in words, strongest first."""
        return [grant.role for grant in self.authority.layers[0]]

    @property
    def is_owner(self) -> bool:
        return Role.OWNER in self.roles

    def allows(
        self, permission: Permission, cluster: str | None = None, namespace: str | None = None
    ) -> bool:
        """Tell whether this member holds a permission, somewhere or in a place."""
        return self.authority.allows(permission, cluster=cluster, namespace=namespace)
