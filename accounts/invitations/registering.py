"""A new person who comes in by an invitation."""

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.views.decorators.debug import sensitive_variables

from accounts.invitations import services
from accounts.organizations.models import Membership, User


class NotNew(Exception):
    """No account can be made: sign in instead. Said in the same words whatever stands in the way."""

    def __init__(self) -> None:
        super().__init__("No account could be made for this address. If you have one, sign in with it.")


@sensitive_variables("password")
@transaction.atomic
def register(*, wanted: str, name: str, password: str) -> Membership:
    """Make an account for the address that was invited, and accept; both or neither.

    The address counts as proven when the link went there by mail.

    :raises services.Gone: the invitation cannot be accepted any more, or is for no address
    :raises NotNew: the address has an account
    """
    found = services.find(wanted)
    if found is None or not found.email:
        raise services.Gone
    try:
        with transaction.atomic():
            user = User.objects.create_user(found.email, password, name=name)
    except IntegrityError as error:
        raise NotNew from error
    proven = found.sent_at is not None
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=proven)
    return services.accept(wanted=wanted, user=user)
