"""Browsing the names that the organization's accesses can see."""

from functools import cached_property
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from accesses.models import Access
from accesses.providers import ProviderError
from accounts.access import OrgRequest, org_view
from accounts.limits import whole
from accounts.roles import Permission, who_may
from clusters.models import Service
from config import pages
from external_secrets import (
    browsing,
    browsing_accesses,
    browsing_basket,
    browsing_folders,
    inventory,
    inventory_schedule,
    services,
)
from external_secrets.browsing_accesses import Listed
from external_secrets.browsing_search import ONLY, Scope, Search
from external_secrets.models import InventoryState
from external_secrets.views import lookup, name_rows

KEPT = ("q", "mode", "tag", "filter", "service", "key")


class Browsing:
    """One look at the names: what the URL asks for, and what there is of it."""

    def __init__(self, request: OrgRequest) -> None:
        self.request, asked = request, request.GET
        self.service: Service | None = lookup.service(
            request, asked.get("service", ""), Permission.SECRET_BROWSE
        )
        cluster = self.service.cluster_id if self.service else None
        self.accesses = browsing_accesses.listed(
            request.organization, request.authority, Permission.SECRET_BROWSE, cluster
        )
        self.access = self._choose(asked.get("access", ""))
        self.search = Search.of(
            asked.get("q", ""),
            contains=asked.get("mode") == "contains",
            tags=asked.getlist("tag"),
            only=asked.get("filter", ""),
        )
        self.part = self._part()

    def _choose(self, wanted: str) -> Listed | None:
        """Return the access that the URL names, or the only one there is; None is all of them."""
        if not wanted:
            return self.accesses[0] if len(self.accesses) == 1 else None
        chosen = next((one for one in self.accesses if one.pk == lookup.as_uuid(wanted)), None)
        if chosen is None:
            raise Http404
        return chosen

    def _part(self) -> str:
        asked = self.request.GET
        named = next((name for name in ("freshness", "around") if name in asked), "")
        return named or ("more" if asked.get("after") or asked.get("cursor") else "results")

    @property
    def is_typing(self) -> bool:
        """Whether only the first few rows are wanted, at once: what takes longer is asked for after them."""
        return self.part == "results" and pages.wants_part(self.request)

    @cached_property
    def scope(self) -> Scope:
        some = self._looked_at if self.access or self.service else None
        return browsing_accesses.scope(self.request.organization, self.request.authority, self.accesses, some)

    @cached_property
    def kept(self) -> dict[str, Any]:
        """The parameters of every address here besides the search's."""
        found = {"access": str(self.access.pk)} if self.access else {}
        return found | ({"service": str(self.service.pk)} if self.service else {})

    def address(self, **changed: Any) -> str:
        """Return this search's parameters, changed, as the end of an address."""
        return "?" + urlencode(self.kept | self.search.parameters(**changed), doseq=True)

    @property
    def state(self) -> InventoryState | None:
        """How fresh the one access's names are."""
        return self.access.state if self.access else None

    def names(self) -> tuple[browsing.Names | None, browsing.Trouble | None]:
        """Return the names and what is wrong: from the index, or live while one access was never read whole."""
        asked, state = self.request.GET, self.state
        trouble = browsing.known_trouble(state) if state else None
        if state is None or self._is_answered(state):
            size = browsing.FEW if self.is_typing else browsing.PAGE
            return browsing.page(self.scope, self.search, asked.get("after", ""), size), trouble
        if trouble is not None:
            return None, trouble
        try:
            access = Access.objects.select_related("cluster__organization").get(pk=state.access_id)
            reach = self.access.reach if self.access else whole
            return browsing.live(access, self.search.text, asked.get("cursor", ""), reach), None
        except ProviderError as error:
            return None, browsing.trouble_of(error)

    def _is_answered(self, state: InventoryState) -> bool:
        """Tell whether the index has what is looked for; below a prefix a whole list that was cut has not all."""
        prefix = self.search.text if self.search.is_plain else ""
        return inventory.answers(state, prefix)

    @property
    def is_continued(self) -> bool:
        """Whether htmx adds these rows to those that are there."""
        return self.part == "more" and pages.wants_part(self.request)

    @property
    def top(self) -> str:
        """Where nothing is searched for."""
        return "?" + urlencode(self.kept)

    @property
    def containing(self) -> str:
        return self.address(mode="contains")

    @property
    def chips(self) -> list[dict[str, str]]:
        """The tags of the URL, each with the address of the names without it."""
        return [
            {
                "label": tag.label,
                "without": "?" + urlencode(self.kept | self.search.without_tag(tag), doseq=True),
            }
            for tag in self.search.chips
        ]

    def _crumbs(self) -> list[tuple[str, str, bool]]:
        found = browsing_folders.crumbs(self.search.text) if self.search.is_plain else []
        return [(label, self.address(q=prefix), prefix == self.search.text) for label, prefix in found]

    def _folders(self) -> list[dict[str, Any]]:
        if not self.search.is_plain:
            return []
        return [
            {"label": one.label, "words": one.words, "count": one.count, "url": self.address(q=one.prefix)}
            for one in browsing_folders.folders(self.scope, self.search.text)
        ]

    def context(self) -> dict[str, Any]:
        """Return what the page, or the part that is asked for, shows."""
        if self.part == "freshness":
            return self._about()
        if self.part == "around":
            return self._about() | self._around()
        names, trouble = self.names()
        found = self._about() | {
            "names": names,
            "trouble": trouble,
            "rows": "",
            "more": "",
            "crumbs": self._crumbs(),
        }
        if names is None:
            return found
        found["rows"] = name_rows.build(self.request, names, self.accesses, self.search, self.kept)
        step = {"after": names.after} if names.after else {"cursor": names.cursor}
        found["more"] = self.address(**step) if names.after or names.cursor else ""
        found["total"] = names.total
        if self.part == "results" and not names.live:
            if not self.is_typing:
                found |= self._around(names.total)
            elif names.rows and (names.total is None or self.search.is_plain):
                found["lazy"] = self.address(around=1)
        return found

    @property
    def _looked_at(self) -> list[Listed]:
        return [self.access] if self.access else self.accesses

    def _around(self, total: int | None = None) -> dict[str, Any]:
        """Return the folders, and how many names there are: what takes longer than the first rows."""
        count = browsing.count(self.scope, self.search) if total is None else total
        more = count > browsing.COUNTED
        known = all(one.state.read_at and not one.is_limited for one in self._looked_at)
        if more and self.search.is_empty and known:
            # Of all names it is known how many they are.
            count, more = max(count, sum(one.state.entries for one in self._looked_at)), False
        return {
            "total": min(count, browsing.COUNTED) if more else count,
            "more_than_total": more,
            "folders": self._folders(),
        }

    def _about(self) -> dict[str, Any]:
        read = [one for one in self.accesses if one.state.read_at]
        return {
            "browsing": self,
            "accesses": self.accesses,
            "access": self.access,
            "service": self.service,
            "search": self.search,
            "q": self.search.typed,
            "state": self.state,
            "pending": inventory.is_pending(self.state) if self.state else False,
            "is_limited": any(one.is_limited for one in self._looked_at),
            "entries": sum(one.state.entries for one in read),
            "read": read,
            "unread": [one for one in self.accesses if not one.state.read_at],
            "kept": self.kept,
            "here": self.address(),
        }

    def page(self) -> dict[str, Any]:
        """Return what only the whole page shows."""
        picks = browsing_basket.picked(self.request.GET.getlist("pick"), self.accesses)
        return {
            "tab": "browse",
            "can_browse": True,
            "who_may_connect": who_may(Permission.ACCESS_MANAGE),
            "only": ONLY.items(),
            "picks": picks,
            "mixed": browsing_basket.is_mixed(picks),
            "bulk_url": name_rows.bulk_url(self.request),
        }


@org_view(Permission.SECRET_BROWSE)
def browse(request: OrgRequest) -> HttpResponse:
    """List names by what they begin with or contain, by folder, tag and filter; a few as one types."""
    here = Browsing(request)
    if not here.is_typing:
        inventory_schedule.looked_at(request.organization)
    if request.GET.get("then") == "link":
        picks = browsing_basket.picked(request.GET.getlist("pick"), here.accesses)
        if picks and not browsing_basket.is_mixed(picks) and name_rows.bulk_url(request):
            return _to_bulk(request, here, picks)
    context = here.context() if here.accesses else {"accesses": []}
    if not pages.wants_part(request):
        context |= here.page()
    context |= {
        "service": here.service,
        "can_link": request.allows(Permission.EXTERNAL_SECRET_MANAGE),
        "who_may_link": who_may(Permission.EXTERNAL_SECRET_MANAGE),
    }
    response = pages.render_page(request, "external_secrets/browse.html", context, part=here.part)
    if pages.wants_part(request) and here.accesses:
        if here.part == "results":
            response.headers["HX-Replace-Url"] = f"{request.path}{here.address()}"
        elif here.part == "freshness" and not context["pending"]:
            response.headers["HX-Trigger"] = "inventory-read"
    return response


def _to_bulk(request: OrgRequest, here: Browsing, picks: list[browsing_basket.Pick]) -> HttpResponse:
    asked = {"access": str(picks[0].access.pk), "key": [pick.name for pick in picks]}
    asked |= {"service": str(here.service.pk)} if here.service else {}
    return pages.go_to(request, f"{name_rows.bulk_url(request)}?{urlencode(asked, doseq=True)}")


@org_view(Permission.SECRET_BROWSE, methods=("POST",))
def refresh(request: OrgRequest, access: Any) -> HttpResponse:
    """Ask for an access's names to be read anew, and go back to where the person was."""
    found = lookup.access(request, str(access), Permission.SECRET_BROWSE)
    services.read_names(found)
    back: dict[str, Any] = {"access": str(found.pk)}
    back |= {name: request.POST.getlist(name) for name in KEPT if request.POST.get(name)}
    page = "link" if "key" in back else "browse"
    url = reverse(f"external_secrets:{page}", kwargs={"org": request.organization.slug})
    return pages.go_to(request, f"{url}?{urlencode(back, doseq=True)}")
