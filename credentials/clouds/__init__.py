"""One module a cloud: signing in, asking, and what its refusals mean; and one line a cloud of credentials."""

from credentials.clouds import aws_form, google_form
from credentials.clouds.base import Cloud, Method
from credentials.clouds.errors import NotPossibleHere

CLOUDS: dict[str, Cloud] = {cloud.slug: cloud for cloud in (aws_form.CLOUD, google_form.CLOUD)}


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
