"""What became of the workloads of one run, and how it is told."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from clusters import addons
from external_secrets.models import ExternalSecret
from external_secrets.ownership import Place
from external_secrets.steps import state, targets
from external_secrets.wanted import Form, Wanted, is_several, original


@dataclass(slots=True)
class Result:
    """What was done, what was left out, and what failed: of each link once, however many services it is for."""

    changed: int = 0
    removed: int = 0
    variables: int = 0
    files: int = 0
    left_out: dict[str, ExternalSecret] = field(default_factory=dict)
    failures: dict[str, state.Failure] = field(default_factory=dict)
    # What went wrong at a workload that has no links, only leftovers: (reason, remedy).
    leftovers: list[tuple[str, str]] = field(default_factory=list)
    stuck: set[Place] = field(default_factory=set)

    def fail(self, link: ExternalSecret, reason: str, remedy: str) -> None:
        self.failures.setdefault(str(link.pk), state.Failure(link, reason, remedy))

    def leave_out(self, link: ExternalSecret) -> None:
        self.left_out[str(link.pk)] = link

    def count(self, fits: Iterable[Wanted]) -> None:
        for one in fits:
            self.files += one.form == Form.FILE
            self.variables += one.form != Form.FILE

    def summary(self) -> str:
        """Return the line that ends the step."""
        parts = [f"{words(self.variables, self.files)} in place"]
        parts.append(f"{self.changed} service{'' if self.changed == 1 else 's'} changed")
        parts += [f"{self.removed} removed"] if self.removed else []
        parts += [f"{len(self.left_out)} left out"] if self.left_out else []
        return ", ".join(parts)


def words(variables: int, files: int, linked: str = "") -> str:
    """Return how many there are, such as `2 linked variables and 1 file`."""
    found = [f"{variables} {linked}variable{'' if variables == 1 else 's'}"]
    found += [f"{files} file{'' if files == 1 else 's'}"] if files else []
    return " and ".join(found)


def of(fits: list[Wanted]) -> str:
    files = sum(one.form == Form.FILE for one in fits)
    return words(len(fits) - files, files, "linked ")


def say_left_out(run: addons.Run, result: Result, ours: state.Objects) -> None:
    """Say of each link that was left out why its Secret is not there."""
    said = state.said(run) if result.left_out else {}
    for link in result.left_out.values():
        key = state.key_of(link)
        why = state.sync_of(link, ours.get(key), said.get(key, [])).reason
        run.log("warning", f"{state.title(link)} is left out, its Secret is not there: {why}")


def look_for_nameless(
    run: addons.Run, links: list[ExternalSecret], ours: state.Objects, result: Result
) -> None:
    """Note the links of several values whose variables nobody knows the names of."""
    hidden = sorted({link.namespace for link in links if targets.is_hidden(run, state.key_of(link))})
    for namespace in hidden:
        run.log("warning", f"Not allowed to look at Secrets in {namespace}; what needs their metadata waits.")
    for link in links:
        if not is_several(link) or link.target != ExternalSecret.Target.VARIABLE:
            continue
        key = state.key_of(link)
        if targets.is_hidden(run, key):
            result.fail(
                link,
                f"The names of its variables are not known: Keyhaven may not look at the Secret {key[1]} in {key[0]}.",
                "Let the user of the cluster's kubeconfig get Secrets there; only their metadata is asked for. "
                "Or take the values as files, which needs no names.",
            )
        elif not original(link).seen_keys and state.is_synced(ours.get(key)):
            run.log("warning", f"{state.title(link)} gives no variable: its Secret has no keys.")
        elif not original(link).seen_keys:
            result.leave_out(link)
