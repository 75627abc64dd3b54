"""What an organization asks of its members' signing in, looked at with each request."""

from django.http import HttpRequest, HttpResponse

from accounts.organizations.models import Membership


def unmet(request: HttpRequest, membership: Membership) -> HttpResponse | None:
    """Return the answer that leads to what is missing, a second factor or single sign-on, or None."""
    return None
