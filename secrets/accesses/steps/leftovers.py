"""The step that removes what deleted accesses leave, once nothing in the cluster reads by it any more."""

from accesses.steps import former, stores
from clusters import addons


class Leftovers(addons.Step):
    """Looks again at the stores and identities that stayed because external secrets read from them.

    Secrets that were moved to another access do so until this deploy has brought them.
    """

    slug = "leftovers"
    label = "Leftovers"
    order = 75

    def plan(self, run: addons.Run) -> list[addons.Change]:
        return stores.goes_later(run)

    def apply(self, run: addons.Run) -> str:
        removed, identities = stores.prune(run), former.remove_leftovers(run)
        identities += former.remove_former(run)
        if not removed and not identities:
            return "Nothing is left over"
        parts = [f"{removed} store{'' if removed == 1 else 's'}"] if removed else []
        parts += [f"{identities} identit{'y' if identities == 1 else 'ies'}"] if identities else []
        return f"{' and '.join(parts)} removed"
