"""What a person does once links stand for what others made: in which order, and which objects go."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from external_secrets.exchange.planning import Plan
from external_secrets.exchange.rows import State
from external_secrets.exchange.uses import Use


@dataclass(frozen=True, slots=True)
class Steps:
    """Commands that remove what links have replaced, who would bring it back, and what has to stay and why."""

    commands: str
    managers: list[str]
    staying: list[tuple[str, str]]


def steps(plan: Plan, uses: Mapping[tuple[str, str], list[Use]]) -> Steps:
    """Return what to remove after the deploy, of what is linked or would be."""
    going: dict[str, list[str]] = {}
    managers, staying = set(), []
    by_id = {
        row.foreign.id: [one for one in plan.rows if one.foreign.id == row.foreign.id] for row in plan.rows
    }
    for name, rows in by_id.items():
        one = rows[0].foreign
        left = [row for row in rows if row.state in (State.UNSUPPORTED, State.PLACELESS)]
        if left:
            use = left[0].use
            user = f"{use.name} still uses it. " if use else ""
            staying.append((name, f"{user}{left[0].reason}"))
            continue
        going.setdefault(one.namespace, []).append(one.name)
        managers |= {one.manager} if " " in one.manager else set()
    lines = [
        f"kubectl delete externalsecret --namespace {shlex.quote(namespace)} {' '.join(map(shlex.quote, names))}"
        for namespace, names in sorted(going.items())
    ]
    return Steps("\n".join(lines), sorted(managers), staying)
