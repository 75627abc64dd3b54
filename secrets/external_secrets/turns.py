"""What the worker tells of links in the audit log: that one fails, that it works again."""

from collections.abc import Iterable

from django.db import transaction

from accesses import telling
from accounts.audit import services as audit
from accounts.models import Organization
from accounts.outgoing import turning
from external_secrets.models import ExternalSecret

KIND = "external-secret"


@transaction.atomic
def turned(organization: Organization, links: Iterable[ExternalSecret]) -> None:
    """Tell of the links that have turned, by the status that was just seen; one that waits is neither."""
    found = {link.pk: link for link in links}
    bad = {pk for pk, link in found.items() if link.status == ExternalSecret.Status.FAILED}
    good = {pk for pk, link in found.items() if link.status == ExternalSecret.Status.SYNCED}
    turns = turning.observe(organization=organization, kind=KIND, bad=bad, good=good)
    for pk in sorted(turns.failing):
        link = found[pk]
        _tell(link, "external_secret.failing", {"cause": telling.own_words(link.status_reason)})
    for pk in sorted(turns.recovered):
        _tell(found[pk], "external_secret.recovered", {})


def _tell(link: ExternalSecret, action: str, details: dict[str, str]) -> None:
    place = {"namespace": link.namespace, "key": link.key, "access": link.access.name}
    audit.record(
        organization=link.cluster.organization, by=None, action=action, target=link, details=place | details
    )
