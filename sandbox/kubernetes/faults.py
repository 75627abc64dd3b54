"""What goes wrong on purpose at the sandbox's API: answers by path, delays, no answer at all, or all of it by chance."""

import random
import re
import time

from sandbox.kubernetes import answers

# Longer than any client waits.
_TOO_LONG = 2.5
_TROUBLES = ("429", "500", "503", "reset", "timeout", "500 after", "reset after")


class Faults:
    """What goes wrong on purpose: answers by path, delays, or no answer at all."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.hang = False
        self.rate, self.struck = 0.0, 0
        self._chance = random.Random(7)  # noqa: S311  trouble, not secrets
        self._answers: list[tuple[re.Pattern[str], str, int, str, int]] = []

    def answer(
        self, path: str, status: int, message: str, *, method: str = "", times: int = 1_000_000
    ) -> None:
        """Answer requests whose path matches with this status and message, so many times."""
        self._answers.append((re.compile(path), method, status, message, times))

    def clear(self) -> None:
        self.delay, self.hang, self.rate = 0.0, False, 0.0
        self._answers.clear()

    def chaos(self, rate: float) -> None:
        """Let so many of all requests, from 0 to 1, meet one of the troubles that an API server has."""
        self.rate = rate

    def strike(self, method: str, path: str) -> str:
        """Do what was ordered for this request; return the trouble that comes after it was carried out."""
        time.sleep(self.delay)
        while self.hang:
            time.sleep(0.1)
        for at, (pattern, wanted, status, message, times) in enumerate(self._answers):
            if pattern.search(path) and wanted in ("", method) and times > 0:
                self._answers[at] = (pattern, wanted, status, message, times - 1)
                raise answers.Refused(status, "InternalError" if status >= 500 else "Invalid", message)
        return self._by_chance()

    def _by_chance(self) -> str:
        if self._chance.random() >= self.rate:
            return ""
        self.struck += 1
        trouble = self._chance.choice(_TROUBLES)
        if not trouble.endswith("after"):
            self._happen(trouble)
        return trouble

    def strike_after(self, trouble: str) -> None:
        """Spoil the answer to a request that was carried out: the client cannot know that it was."""
        if trouble.endswith("after"):
            self._happen(trouble.removesuffix(" after"))

    @staticmethod
    def _happen(trouble: str) -> None:
        if trouble == "timeout":
            time.sleep(_TOO_LONG)
            raise ConnectionError
        if trouble == "reset":
            raise ConnectionError
        raise answers.Refused(
            int(trouble), "TooManyRequests" if trouble == "429" else "InternalError", "not now"
        )
