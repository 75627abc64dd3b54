"""One package a cloud: signing in, asking, what its refusals mean, and its credentials; and one line a cloud."""

from credentials.clouds.aws import cloud as aws_cloud
from credentials.clouds.azure import cloud as azure_cloud
from credentials.clouds.base import Cloud, Method
from credentials.clouds.errors import NotPossibleHere
from credentials.clouds.google import cloud as google_cloud
from credentials.clouds.scaleway import cloud as scaleway_cloud

CLOUDS: dict[str, Cloud] = {
    cloud.slug: cloud
    for cloud in (aws_cloud.CLOUD, google_cloud.CLOUD, azure_cloud.CLOUD, scaleway_cloud.CLOUD)
}


def known(cloud: str, method: str) -> tuple[Cloud, Method]:
    """Return a cloud and one of its methods.

    :raises NotPossibleHere: this version of the console does not know them
    """
    found = CLOUDS.get(cloud)
    way = found.method(method) if found else None
    if found is None or way is None:
        raise NotPossibleHere(
            "This version of Keyhaven does not know this kind of credential.", "Update Keyhaven."
        )
    return found, way
