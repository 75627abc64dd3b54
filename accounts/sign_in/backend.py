"""Who a password belongs to."""

from allauth.account.auth_backends import AuthenticationBackend
from allauth.core import context

from accounts.organizations.models import User


class Backend(AuthenticationBackend):  # type: ignore[misc]
    """Finds a person by e-mail address. Machines, the disabled and the unknown cost one hash, and get the same answer."""

    def _authenticate_by_email(self, email: str, password: str) -> User | None:
        user = User.objects.filter(email=email.strip().lower()).first()
        if user is None or not self.user_can_authenticate(user):
            return None  # allauth hashes once all the same
        self._did_check_password = True
        return user if user.check_password(password) else None

    def get_user(self, user_id: int) -> User | None:
        """Return who a session is of: the person that this request's session was read with, or with a query."""
        person: User | None = getattr(getattr(context.request, "session", None), "person", None)
        if person is None or person.pk != user_id:
            found: User | None = super().get_user(user_id)
            return found
        return person if self.user_can_authenticate(person) else None

    def user_can_authenticate(self, user: User) -> bool:
        return user.is_active and not user.is_machine
