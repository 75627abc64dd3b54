"""What the operator says when something does not work, and what it means: the one table, for stores and for links.

docs/troubleshooting.md has a section of each row; a test keeps the two together. The first row that fits counts, so
what is narrow stands above what is wide.
"""

from accesses.troubles.azure import AZURE
from accesses.troubles.base import About, Trouble
from accesses.troubles.doppler import DOPPLER
from accesses.troubles.elsewhere import ELSEWHERE
from accesses.troubles.identity import IDENTITY
from accesses.troubles.objects import OBJECTS
from accesses.troubles.onepassword import ONEPASSWORD
from accesses.troubles.reading import READING
from accesses.troubles.ways import WAYS

__all__ = ["TABLE", "About", "Trouble"]

TABLE: tuple[Trouble, ...] = (
    *OBJECTS,
    *AZURE,
    *DOPPLER,
    *ONEPASSWORD,
    *ELSEWHERE,
    *IDENTITY,
    *READING,
    *WAYS,
)
