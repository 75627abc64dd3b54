"""Linking a secret to a service or a namespace, changing and removing a link, asking for an inventory."""

import logging
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from accesses import variants
from accesses.models import Access, StoreVariant
from accounts.audit import services as audit
from accounts.models import User
from clusters import services as cluster_services
from clusters.models import Cluster
from external_secrets import clashes, inside, placing, tasks, telling
from external_secrets.inside import NotAllowed
from external_secrets.models import ExternalSecret, InventoryState
from external_secrets.placing import Place, why_not

__all__ = ["Changed", "Clash", "NotAllowed", "Place", "change", "link", "read_names", "unlink", "why_not"]

logger = logging.getLogger(__name__)

# What an alias has of the link whose value it is another name for.
READ = ("access", "variant", "takes", "key", "tags", "json_field", "version")
_MOMENT = "another link, made a moment ago"


class Clash(Exception):
    """Something is in the way. `str()` says what and where it comes from; `found` names the fields."""

    def __init__(self, found: list[clashes.Found]) -> None:
        super().__init__(" ".join(one.text for one in found))
        self.found = found


class Changed(Exception):
    """Somebody else changed the link meanwhile. `str()` says what it is now."""


@transaction.atomic
def link(
    *,
    access: Access,
    place: Place,
    by: User,
    values: dict[str, Any],
    overrides: dict[str, str] | None = None,
    alias_of: ExternalSecret | None = None,
    takes_over: bool = False,
) -> ExternalSecret:
    """Link a secret to a service or a namespace; the cluster's next deploy brings it there.

    `values` are columns of the link that say what it takes and as what it arrives; `overrides` the region, role_arn
    and audience in which it differs from its access. What an alias takes is its original's. With `takes_over`
    what the workload's own manifest has there is no clash: a deploy asks before it takes that over.

    :raises Clash: there is such a variable or file already
    :raises NotAllowed: the access is of another cluster, or not open to the namespace
    """
    # The cluster first, as everywhere, so that no two wait for each other; and what is checked now stays so.
    cluster_services.changed(place.cluster)
    original = _now(alias_of) if alias_of is not None else None
    allow(access, place, original)
    if original is not None:
        values = values | {name: getattr(original, name) for name in READ}
    else:
        inside.keep(None, access, values)
        values = values | {"access": access, "variant": variant_of(access, overrides)}
    refuse(clashes.Around(place, takes_over=takes_over).find(values))
    made = ExternalSecret(**placing.columns(place), **values, alias_of=original)
    save(made, place)
    audit.record(
        organization=place.cluster.organization,
        by=by,
        action="external_secret.linked",
        target=made,
        details=telling.told(made),
    )
    return made


@transaction.atomic
def change(
    *,
    link: ExternalSecret,
    access: Access,
    place: Place,
    values: dict[str, Any],
    by: User,
    seen_version: str,
    overrides: dict[str, str] | None = None,
) -> ExternalSecret:
    """Make a link something else or bring it elsewhere; nothing is written where nothing differs.

    `overrides` None keeps those that it has. What an alias takes stays its original's.

    :raises Changed: somebody else changed it since `seen_version`, its `updated_at` as ISO text
    :raises Clash: there is such a variable or file already
    :raises NotAllowed: it may not go there, or not become that
    """
    # The cluster first, as everywhere, so that no two wait for each other.
    Cluster.objects.select_for_update(no_key=True).get(pk=link.cluster_id)
    live = _locked(link, seen_version)
    if place.cluster.pk != live.cluster_id:
        raise NotAllowed(f"{live.title} stays on {live.cluster}. Link the secret anew to have it elsewhere.")
    allow(access, place, live.alias_of)
    if live.alias_of is None:
        inside.keep(live, access, values)
    values = _of_its_own(live, access, values, overrides)
    _keep_aliases(live, place, values)
    before = telling.everything(live)
    for name, value in (placing.columns(place) | values).items():
        setattr(live, name, value)
    if telling.everything(live) == before:
        return live
    refuse(clashes.Around(place, without=[live.pk]).find(vars(live)))
    wait(live, f"Changed; {live.cluster} still has it as it was.")
    rewrite(live, place, before, by)
    _carry(live)
    variants.sweep(link.access)
    cluster_services.changed(live.cluster)
    return live


@transaction.atomic
def unlink(*, link: ExternalSecret, by: User) -> None:
    """Remove a link and its aliases; the cluster's next deploy takes what they brought and the Secret away.

    One that somebody else removed a moment ago is left at that.
    """
    cluster = link.cluster
    # The cluster first, as everywhere, so that no two wait for each other.
    Cluster.objects.select_for_update(no_key=True).filter(pk=cluster.pk).first()
    live = _live(link)
    if live is None:
        return
    cluster_services.changed(cluster)
    aliases = [str(alias) for alias in live.aliases.select_related("service")]
    audit.record(
        organization=cluster.organization,
        by=by,
        action="external_secret.unlinked",
        target=live,
        details=telling.told(live) | ({"aliases": ", ".join(aliases)} if aliases else {}),
    )
    live.delete()
    variants.sweep(live.access)


def variant_of(access: Access, overrides: dict[str, str] | None) -> StoreVariant | None:
    """Return the second store of an access for what differs from it, None where nothing does."""
    return variants.use(access, **overrides) if overrides else None


def allow(access: Access, place: Place, original: ExternalSecret | None = None) -> None:
    """Refuse a place that the access, or the link whose other name it is, has nothing to do with.

    :raises NotAllowed: with the reason
    """
    fresh = Access.objects.select_related("cluster").filter(pk=access.pk).first()
    refusal = why_not(fresh, place) if fresh else f"{access} was deleted a moment ago"
    if refusal:
        raise NotAllowed(f"{refusal}.")
    if original is None:
        return
    if original.takes != ExternalSecret.Takes.VALUE or original.alias_of_id is not None:
        raise NotAllowed(f"{original.title} is not one value of its own, so that it can have no other name.")
    if (original.cluster_id, original.namespace) != (place.cluster.pk, place.namespace):
        raise NotAllowed(
            f"An alias stays in the namespace {original.namespace}, where the Secret of {original.title} is. "
            "Link the secret anew to have it elsewhere."
        )


def refuse(found: list[clashes.Found]) -> None:
    """Stop when something is in the way.

    :raises Clash: with all of it
    """
    if found:
        raise Clash(found)


def save(link: ExternalSecret, place: Place) -> None:
    """Write a link; the database has the last word on what is there already.

    :raises Clash: another link was faster
    """
    try:
        with transaction.atomic():
            link.save()
    except IntegrityError as error:
        field = "path" if "path_is_unique" in str(error) else "variable"
        what = getattr(link, field)
        raise Clash([clashes.Found(field, f"{place.words} already has {what}, from {_MOMENT}.")]) from error


def _of_its_own(
    live: ExternalSecret, access: Access, values: dict[str, Any], overrides: dict[str, str] | None
) -> dict[str, Any]:
    """Return the columns that change: an alias has nothing of its own about what is read."""
    if live.alias_of is not None:
        return {name: value for name, value in values.items() if name not in READ}
    if overrides is None:
        overrides = variants.of(live.variant)
    return values | {"access": access, "variant": variant_of(access, overrides)}


def wait(link: ExternalSecret, reason: str) -> None:
    """Note that the cluster does not have a link as it is now, until a deploy has brought it."""
    if link.status == ExternalSecret.Status.NEVER:
        return
    link.status, link.status_reason = ExternalSecret.Status.WAITING, reason
    link.status_remedy = f"Deploy {link.cluster}."
    # What the operator says until then is about what it was.
    link.refused = True


def rewrite(link: ExternalSecret, place: Place, before: dict[str, Any], by: User) -> None:
    """Write a link that was changed, and tell what it was.

    :raises Clash: another link was faster
    """
    save(link, place)
    audit.record(
        organization=link.cluster.organization,
        by=by,
        action="external_secret.changed",
        target=link,
        details=telling.difference(link, before),
    )


def _live(link: ExternalSecret) -> ExternalSecret | None:
    rows = ExternalSecret.objects.select_for_update(no_key=True, of=("self",)).filter(pk=link.pk)
    return rows.select_related("access", "variant", "service", "cluster__organization", "alias_of").first()


def _now(original: ExternalSecret) -> ExternalSecret:
    """Return the link that gets another name as it is now, not as it was when the form was shown."""
    live = _live(original)
    if live is None:
        raise NotAllowed(f"{original.title} was unlinked a moment ago; link the secret itself.")
    return live


def _locked(link: ExternalSecret, seen: str) -> ExternalSecret:
    """Return the link as it is now, for nobody else to change until this is done."""
    live = _live(link)
    if live is None:
        raise Changed("Somebody unlinked it while you were here.")
    if live.updated_at.isoformat() != seen:
        now = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in telling.told(live).items())
        raise Changed(
            f"Somebody changed this link while you were here. It is now: {now}. "
            "Send the form once more to replace that by what is below."
        )
    return live


def _keep_aliases(live: ExternalSecret, place: Place, values: dict[str, Any]) -> None:
    """Refuse what would leave the link's aliases without a value."""
    names = [alias.title for alias in live.aliases.all()]
    if not names:
        return
    listed = ", ".join(names)
    if place.namespace != live.namespace:
        raise NotAllowed(f"Its value has other names in {live.namespace}: {listed}. Unlink them first.")
    if values.get("takes", live.takes) != ExternalSecret.Takes.VALUE:
        raise NotAllowed(f"Its one value has other names: {listed}. Unlink them first.")


def _carry(link: ExternalSecret) -> None:
    """Let the link's aliases take what it takes now."""
    values = {name: getattr(link, name) for name in READ}
    link.aliases.update(**values, updated_at=timezone.now())


def read_names(access: Access) -> None:
    """Ask a worker to read an access's names, if they are kept. With the broker away, the inventory's state says so."""
    if not settings.INVENTORY:
        return
    InventoryState.objects.update_or_create(access=access, defaults={"asked_at": timezone.now()})
    try:
        tasks.read_inventory.delay(access_id=str(access.pk))
    except OperationalError:
        logger.warning("The broker is away; the inventory of access %s is not read.", access.pk)
        InventoryState.objects.filter(access=access).update(
            asked_at=None,
            error="No worker could be asked to read the names: the broker does not answer.",
            remedy="Start the broker, then refresh.",
            cause=InventoryState.Cause.FAILED,
            permission="",
        )
