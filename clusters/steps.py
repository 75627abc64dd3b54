"""The step that every deploy begins with."""

from clusters import addons


class Connect:
    """Reaches the cluster and refreshes what the console knows of it."""

    slug = "connect"
    label = "Connect"
    order = 10

    def plan(self, run: addons.Run) -> list[addons.Change]:
        return []

    def apply(self, run: addons.Run) -> str:
        raise NotImplementedError
