"""Reading a tree of folders in pages: Vault lists one folder at a time, and all of it."""

from collections.abc import Callable

SHOWN = 100
# So many folders are listed for one page: behind each may be one name.
FOLDERS = 100
_LONGEST = 1000


class Walk:
    """Names with a prefix, by their letters.

    A cursor is the last name that was given, or the folder that comes next: it says all by itself, so that what was made
    or deleted meanwhile moves nothing. `keys(folder, is_first)` returns what is in a folder.
    """

    def __init__(self, prefix: str, keys: Callable[[str, bool], list[str]]) -> None:
        self.prefix, self._keys = prefix, keys
        self._start = prefix[: prefix.rfind("/") + 1]
        # The folders on the way to the next page, as they were when the last one was read.
        self._way: dict[str, list[str]] = {}

    def on(self, cursor: str) -> tuple[list[str], str]:
        """Return the next names, and the cursor of those after them or an empty string."""
        names: list[str] = []
        listed, waiting = 0, [self._start]
        while waiting:
            path = waiting.pop()
            if path and not path.endswith("/"):
                names.append(path)
                if len(names) == SHOWN and waiting:
                    return self._until(names, path)
                continue
            if not cursor.startswith(path) or not cursor:
                if listed == FOLDERS:
                    return self._until(names, path)
                listed += 1
            waiting += reversed(self._wanted(path, cursor))
        return names, ""

    def _until(self, names: list[str], cursor: str) -> tuple[list[str], str]:
        self._way = {folder: keys for folder, keys in self._way.items() if cursor.startswith(folder)}
        return names, cursor

    def _wanted(self, folder: str, cursor: str) -> list[str]:
        """Return the paths in a folder that are still to come; what a folder holds sorts where the folder does."""
        keys = self._way.get(folder)
        if keys is None:
            keys = self._way[folder] = self._keys(folder, folder == self._start)
        paths = sorted(folder + key for key in set(keys) if _is_key(key))
        return [path for path in paths if self._fits(path) and _is_after(path, cursor)]

    def _fits(self, path: str) -> bool:
        leads_there = path.endswith("/") and self.prefix.startswith(path)
        return len(path) <= _LONGEST and (path.startswith(self.prefix) or leads_there)


def _is_key(key: str) -> bool:
    """Tell whether this is one part of a path, with a slash behind it if it is a folder's."""
    part = key.removesuffix("/")
    return part not in ("", ".", "..") and "/" not in part and part.isprintable()


def _is_after(path: str, cursor: str) -> bool:
    if path.endswith("/"):
        return path >= cursor or cursor.startswith(path)
    return path > cursor
