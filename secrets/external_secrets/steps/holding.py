"""When a workload is left as it is, so that it loses nothing and no pod is started that cannot run."""

from collections.abc import Iterable

from clusters import addons
from external_secrets import workloads
from external_secrets.models import ExternalSecret
from external_secrets.ownership import Live
from external_secrets.steps import state, targets
from external_secrets.wanted import Form, Wanted, is_several, original

REMEDY = "Bring that secret back or unlink it; then deploy."


def is_in_place(environment: Live, one: Wanted) -> bool:
    """Tell whether the workload has it already: a Secret that went away since is no reason to take it."""
    if one.form == Form.PATH:
        # It goes where its file goes.
        return True
    if one.form == Form.VARIABLE:
        return environment.has(one.slot, one.secret, one.key)
    return environment.has_file(one.container, workloads.directory(one), one.secret)


def may_go_in(run: addons.Run, one: Wanted, ours: state.Objects) -> bool:
    """Tell whether pods can start with it: its Secret is there, and has the key."""
    key = state.key_of(one.link)
    if one.form == Form.PATH or state.is_written(ours.get(key)):
        return True
    target = targets.look(run, key)
    return target is not None and (not one.key or one.key in target.keys or workloads.is_optional(one))


def why(
    run: addons.Run,
    environment: Live,
    links: Iterable[ExternalSecret],
    there: Iterable[Wanted],
    waiting: Iterable[Wanted],
    ours: state.Objects,
) -> str:
    """Return why a workload must not be changed now, or an empty string.

    `there` is what goes in or stays, `waiting` what has no Secret yet.
    """
    found = [(one.name, _before(environment, one)) for one in waiting]
    # Of several that were never read nobody knows what waits.
    found += [(link.title, _former(environment, link)) for link in links if _is_nameless(link)]
    for name, before in found:
        if before:
            return f"what is to take the place of the Secret {before} is not there yet: {name}"
    for one in there:
        hidden = targets.is_hidden(run, state.key_of(one.link))
        if not (hidden or may_go_in(run, one, ours) or workloads.is_optional(one)):
            return (
                f"the Secret {one.secret} that {one.name} is taken from is gone, and no pod could start anew"
            )
    return ""


def _is_nameless(link: ExternalSecret) -> bool:
    variables = is_several(link) and link.target == ExternalSecret.Target.VARIABLE
    return variables and not original(link).seen_keys


def _before(environment: Live, one: Wanted) -> str:
    """Return the Secret that a workload has in the place of something, or of the same link by another name."""
    if one.form == Form.FILE:
        found = environment.secret_at(one.container, one.name)
    else:
        found = environment.secret_of(one.slot) if one.slot in environment.ours else ""
    return found or _former(environment, one.link)


def _former(environment: Live, link: ExternalSecret) -> str:
    """Return the Secret that a link had when it was called otherwise, if the workload reads it."""
    end = f"-{original(link).id.hex[:8]}"
    names = (name for name in sorted(environment.secrets) if name.endswith(end))
    return next((name for name in names if name != link.object_name), "")
