"""Documents in Elasticsearch when the console's encryption key changes: they are outside of the database."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from accesses.providers.asking import understood
from accesses.providers.elasticsearch import documents as elasticsearch_documents
from accesses.providers.elasticsearch import record as elasticsearch
from accesses.providers.elasticsearch import wire
from accesses.providers.elasticsearch.documents import Document
from accounts.encryption import outside
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access

_AT_ONCE = 50
# So often is a document that somebody is writing tried again.
_TRIES = 3


class Documents:
    """What one access reaches of its organization's documents."""

    def __init__(self, access: "Access") -> None:
        self._access = access
        self.label = f"Elasticsearch of {access.cluster}/{access}"

    def go_through(self, is_old: Callable[[list[str]], bool], turn: Callable[[str], str]) -> int:
        """Show every document's texts, and write those anew that are old; return how many texts were."""
        try:
            index = self._index()
            return sum(self._turned(index, one, turn) for one in _all(index) if is_old(_texts(one)))
        except errors.ProviderError:
            raise outside.NotReached(self.label) from None

    def _index(self) -> wire.Index:
        method = elasticsearch.PROVIDER.method_of(self._access)
        return elasticsearch.Client(self._access, method.sign_in(self._access)).index

    @staticmethod
    def _turned(index: wire.Index, document: Document, turn: Callable[[str], str]) -> int:
        def act(found: Document) -> Document:
            versions = [one | {"sealed": turn(one["sealed"])} for one in found["versions"]]
            return found | {"versions": versions}

        for left in reversed(range(_TRIES)):
            try:
                index.change(str(document["name"]), act, was_deleted=None)
                break
            except errors.Raced:
                if not left:
                    raise
            except errors.NotThere:
                return 0
        return len(_texts(document))


def _texts(document: Document) -> list[str]:
    with understood(wire.VENDOR):
        return list(elasticsearch_documents.texts(document))


def _all(index: wire.Index) -> Iterator[Document]:
    after, more = "", True
    while more:
        found = index.listed("", after, _AT_ONCE, values=True)
        yield from found
        more = len(found) == _AT_ONCE
        after = str(found[-1]["name"]) if found else ""


def places() -> Iterator[outside.Place]:
    """Yield each access to Elasticsearch; of several to one organization's index the one that was made first."""
    from accesses.models import Access

    seen = set()
    rows = Access.objects.filter(provider=elasticsearch.SLUG).select_related("cluster").order_by("created_at")
    for access in rows:
        configuration = access.configuration
        place = (access.cluster.organization_id, configuration.get("address"), configuration.get("index"))
        if place not in seen:
            seen.add(place)
            yield Documents(access)
