"""What a code of the audit log is."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How it ended: it was done, somebody was refused, or it was tried and failed."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Action:
    """One code. The sentence follows the name of who did it; `{}` stands for the object."""

    code: str
    sentence: str
    outcome: Outcome = Outcome.DONE

    @property
    def words(self) -> str:
        """The sentence of any object, for lists to choose from."""
        text = self.sentence.replace("{}", "…")
        return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Group:
    """Codes that concern one thing; `word.*` in a filter means all that begin with the word."""

    word: str
    label: str
    actions: tuple[Action, ...]


def done(code: str, sentence: str) -> Action:
    return Action(code, sentence)


def failed(code: str, sentence: str) -> Action:
    return Action(code, sentence, Outcome.FAILED)


def refused(code: str, sentence: str) -> Action:
    return Action(code, sentence, Outcome.REFUSED)
