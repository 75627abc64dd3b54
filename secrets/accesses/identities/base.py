"""What a cloud's module offers to the step that makes identities: objects as manifests, compared like any other."""

from typing import Any, Protocol

from accesses.models import Access, Identity
from clusters.addons import Manifest
from credentials.models import CloudCredential

PURPOSE = "Lets the External Secrets Operator read secrets; made and kept by Keyhaven."


class Maker(Protocol):
    """Makes and removes what lets one access's ServiceAccount in. Its methods raise nothing but `ProviderError`."""

    cloud: str

    def wanted(self, access: Access) -> list[Manifest]:
        """Return what there is to be for an access, in the order in which it is made; asks nobody.

        :raises ProviderError: the cloud would not take it
        """

    def open(self, credential: CloudCredential, region: str) -> Any:
        """Return the way to the cloud, signed in as the console."""

    def live(self, way: Any, wanted: Manifest) -> Manifest | None:
        """Return an object as it is in the cloud, in the shape of the wanted one, or None."""

    def bring(self, way: Any, wanted: Manifest, live: Manifest | None) -> None:
        """Make or change one object."""

    def facts(self, access: Access) -> dict[str, str]:
        """Return what is kept to remove it by."""

    def left(self, way: Any, identity: Identity) -> list[Manifest]:
        """Return what there still is of an identity that is not wanted any more."""

    def remove(self, way: Any, left: Manifest) -> str:
        """Remove one object; return an empty string, or why it stays."""
