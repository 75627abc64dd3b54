"""One upstream secret: its facts, and who uses it."""

from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from accesses.models import Access
from accesses.providers import PROVIDERS
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from config import pages
from external_secrets import browsing, browsing_uses, inventory, usage_map
from external_secrets.browsing_search import Tag
from external_secrets.models import InventoryEntry, InventoryState
from external_secrets.views import lookup, writing


def _entry(access: Access, name: str) -> InventoryEntry | None:
    return InventoryEntry.objects.filter(access=access, name=name).first()


def is_gone(state: InventoryState, entry: InventoryEntry | None, name: str) -> bool:
    """Tell whether the inventory, read whole, does not have it; of a reference elsewhere it says nothing."""
    if entry is not None or state.read_at is None or state.truncated:
        return False
    return browsing.knows(state.access, state, name) is False


def _absence(
    access: Access, state: InventoryState, entry: InventoryEntry | None, name: str
) -> tuple[bool, bool]:
    """Tell whether a name lies outside of what the access sees, and else whether it is gone."""
    outside = entry is None and not browsing_uses.begins(name, access.prefix)
    return outside, not outside and is_gone(state, entry, name)


@org_view(Permission.SECRET_BROWSE)
def secret(request: OrgRequest) -> HttpResponse:
    """Show a secret by its access and name; one that is gone upstream still has its users."""
    name = request.GET.get("name", "").replace("\x00", "")[: inventory.LONGEST_NAME]
    if not name:
        return pages.go_to(
            request, reverse("external_secrets:browse", kwargs={"org": request.organization.slug})
        )
    access = lookup.access(request, request.GET.get("access", ""), Permission.SECRET_BROWSE)
    if not name.startswith(_reach(request, access)):
        raise Http404
    entry, state = _entry(access, name), browsing.state_of(access)
    found = usage_map.of(request.organization, access, name, entry, request.authority)
    outside, gone = _absence(access, state, entry, name)
    if (gone or outside) and not (found.uses or found.unsure):
        raise Http404
    context = {
        "access": access,
        "cluster": access.cluster,
        "provider": PROVIDERS[access.provider],
        "name": name,
        "entry": entry,
        "state": state,
        "gone": gone,
        "outside": outside,
        "map": found,
        **_links(entry, access, name),
        **_linking(request, access, name),
        **writing.on_page(request, access, name),
    }
    return pages.render_page(request, "external_secrets/secret.html", context)


def _reach(request: OrgRequest, access: Access) -> tuple[str, ...]:
    """Return what the names begin with that this person may see by the access."""
    return request.authority.prefixes(
        Permission.SECRET_BROWSE, cluster=access.cluster.name, namespaces=access.namespaces
    )


def _links(entry: InventoryEntry | None, access: Access, name: str) -> dict[str, Any]:
    """Return where the page leads: to what shares a tag or the folder, and to this secret by itself."""
    chosen = {"access": str(access.pk)}
    folder, slash, _ = name.rpartition("/")
    return {
        "tags": [(tag.label, "?" + urlencode({"tag": tag.parameter})) for tag in _tags(entry)],
        "here": urlencode(chosen | {"key": name}),
        "folder": urlencode(chosen | {"q": folder + slash}) if slash else "",
    }


def _linking(request: OrgRequest, access: Access, name: str) -> dict[str, Any]:
    """Tell whether this person may link the secret, and who may."""
    manage = Permission.EXTERNAL_SECRET_MANAGE
    return {
        "can_link": request.allows(manage, cluster=access.cluster.name, secret=name),
        "who_may_link": who_may(manage),
    }


def _tags(entry: InventoryEntry | None) -> list[Tag]:
    return [Tag(name, value) for name, value in entry.tags.items()] if entry else []
