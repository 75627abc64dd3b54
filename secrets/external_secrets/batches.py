"""Many links at once, all or none: linking a list, and bringing links to another service."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction

from accesses.models import Access
from accounts.audit import services as audit
from accounts.models import User
from clusters import services as cluster_services
from clusters.models import Cluster
from external_secrets import clashes, inside, placing, services, telling
from external_secrets.models import ExternalSecret
from external_secrets.placing import Place

# So many lines a list may have.
LONGEST = 1000


class Refused(Exception):
    """Some of them cannot be, so none is. `errors` says why by their position in what was asked for."""

    def __init__(self, errors: dict[int, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = errors


def check(place: Place, lines: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Return what is in the way of each line, by its position; of two equal ones the later is wrong."""
    around = clashes.Around(place)
    errors = {}
    for position, values in enumerate(lines):
        found = around.find(values)
        if found:
            errors[position] = " ".join(one.text for one in found)
        else:
            around.add(ExternalSecret(**placing.columns(place), **values))
    return errors


@transaction.atomic
def link_many(*, access: Access, place: Place, by: User, lines: Sequence[dict[str, Any]]) -> int:
    """Link all of these to one place by a constant number of queries; return how many.

    :raises Refused: something is in the way of a line; then nothing is linked
    :raises services.NotAllowed: the access may not be used there
    """
    # The cluster first, as everywhere, so that no two wait for each other; and what is checked now stays so.
    cluster_services.changed(place.cluster)
    services.allow(access, place)
    outside = {at: found[1] for at, line in enumerate(lines) if (found := inside.wrong(access, line))}
    errors = check(place, lines) | outside
    if errors:
        raise Refused(errors)
    made = [ExternalSecret(**placing.columns(place), access=access, **values) for values in lines]
    try:
        with transaction.atomic():
            ExternalSecret.objects.bulk_create(made)
    except IntegrityError as error:
        raise Refused({0: "Somebody linked one of them a moment ago. Check the list again."}) from error
    audit.record(
        organization=place.cluster.organization,
        by=by,
        action="external_secret.linked_many",
        target=access,
        details={
            "cluster": place.cluster.name,
            "place": str(place),
            "container": place.container,
            "count": len(made),
            "links": ", ".join(f"{link.title} from {link.key}" for link in made),
        },
    )
    return len(made)


@transaction.atomic
def move_to(*, links: Sequence[ExternalSecret], place: Place, by: User) -> int:
    """Bring links to another service, container or namespace of their cluster; return how many were elsewhere.

    :raises Refused: something is in the way of one of them, by its position; then none moves
    """
    Cluster.objects.select_for_update(no_key=True).get(pk=place.cluster.pk)
    ids = [link.pk for link in links]
    rows = ExternalSecret.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=ids)
    related = rows.select_related(
        "access__cluster", "variant", "service", "cluster__organization", "alias_of"
    )
    live = {link.pk: link for link in related.prefetch_related("aliases")}
    around, errors = clashes.Around(place, without=ids), {}
    for position, link in enumerate(links):
        now = live.get(link.pk)
        error = _why_stuck(now, place, around, set(ids)) if now else "It was unlinked a moment ago."
        if error:
            errors[position] = f"{link.title}: {error}"
        elif now is not None:
            around.add(_at(now, place))
    if errors:
        raise Refused(errors)
    return _moved(list(live.values()), place, by)


def _at(link: ExternalSecret, place: Place) -> ExternalSecret:
    for name, value in placing.columns(place).items():
        setattr(link, name, value)
    return link


def _why_stuck(link: ExternalSecret, place: Place, around: clashes.Around, moving: set[Any]) -> str:
    refusal = placing.why_not(link.access, place)
    if refusal:
        return f"{refusal}."
    apart = link.namespace != place.namespace
    original, aliases = link.alias_of, link.aliases.all()
    if apart and original is not None and original.pk not in moving:
        return f"it is another name of {original.title}, which stays in {link.namespace}."
    if apart and (staying := [alias.title for alias in aliases if alias.pk not in moving]):
        return f"its other names {', '.join(staying)} stay in {link.namespace}."
    return " ".join(one.text for one in around.find(vars(link)))


def _moved(links: list[ExternalSecret], place: Place, by: User) -> int:
    """Write where the links are now, and tell of each by an event of its own."""
    before = {
        link.pk: telling.everything(link)
        for link in ExternalSecret.objects.filter(pk__in=[link.pk for link in links]).select_related(
            "access", "variant", "service", "cluster", "alias_of"
        )
    }
    moved = [link for link in links if telling.everything(link) != before[link.pk]]
    if not moved:
        return 0
    cluster_services.changed(place.cluster)
    for link in moved:
        services.wait(link, f"Moved to {place}; {place.cluster} still has it where it was.")
        services.rewrite(link, place, before[link.pk], by)
    return len(moved)
