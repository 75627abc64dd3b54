"""Every code of the audit log: what it says in words, to which group it belongs, and how it ended.

Success and failure have codes of their own. What is not here cannot be recorded; docs/audit.md has the same list.
"""

from accounts.audit.actions_people import PEOPLE
from accounts.audit.codes import Action as Action
from accounts.audit.codes import Group as Group
from accounts.audit.codes import Outcome as Outcome
from accounts.audit.codes import done as _done
from accounts.audit.codes import failed as _failed
from accounts.audit.codes import refused as _refused

_LOG = (
    Group(
        "audit",
        "Audit log",
        (
            _done("audit.exported", "exported the audit log"),
            _done("audit.pruned", "pruned the audit log"),
            _done("audit.retention_changed", "changed how long the audit log is kept"),
            _done("audit_view.saved", "saved the view {}"),
            _done("audit_view.renamed", "renamed the view {}"),
            _done("audit_view.deleted", "deleted the view {}"),
        ),
    ),
    Group(
        "destination",
        "Forwarding and notifications",
        (
            _done("destination.created", "created the destination {}"),
            _done("destination.changed", "changed the destination {}"),
            _done("destination.deleted", "deleted the destination {}"),
            _done("destination.tested", "tested the destination {}"),
            _failed("destination.test_failed", "tested the destination {}, which failed"),
            _done("destination.paused", "paused the destination {}"),
            _done("destination.resumed", "resumed the destination {}"),
            _done("destination.sent_again", "sent events again to the destination {}"),
            _failed("destination.skipped", "skipped events of the destination {}"),
        ),
    ),
)

_WORK = (
    Group(
        "credential",
        "Cloud credentials",
        (
            _done("credential.created", "added the credential {}"),
            _done("credential.changed", "changed the credential {}"),
            _done("credential.deleted", "deleted the credential {}"),
            _done("credential.tested", "tested the credential {}"),
            _failed("credential.test_failed", "tested the credential {}, which failed"),
            _done("credential.reminders_changed", "changed the reminders of the credential {}"),
            _failed("credential.failing", "found that the credential {} fails"),
            _done("credential.works_again", "found that the credential {} works again"),
            _done("credential.expiring", "found that the credential {} ends soon"),
            _failed("credential.expired", "found that the credential {} has ended"),
            _done("credential.rotation_due", "found that the credential {} is due to be rotated"),
        ),
    ),
    Group(
        "rotation",
        "Rotations of credentials",
        (
            _done("rotation.started", "began to rotate the credential {}"),
            _done("rotation.key_made", "made a new key for the credential {}"),
            _failed("rotation.key_failed", "could not make a new key for the credential {}"),
            _done("rotation.key_removed", "removed the new key of the credential {} again"),
            _done("rotation.cluster_moved", "found that a cluster moved to the new key of the credential {}"),
            _done("rotation.old_disabled", "disabled the old key of the credential {}"),
            _done("rotation.old_enabled", "enabled the old key of the credential {} again"),
            _done("rotation.old_deleted", "deleted the old key of the credential {}"),
            _done("rotation.taken_back", "took the rotation of the credential {} back"),
            _done("rotation.finished", "finished the rotation of the credential {}"),
        ),
    ),
    Group(
        "cluster",
        "Clusters and services",
        (
            _done("cluster.connected", "connected the cluster {}"),
            _done("cluster.kubeconfig_replaced", "replaced the kubeconfig of {}"),
            _done("cluster.sign_in_changed", "changed how Keyhaven signs in to {}"),
            _done("cluster.moved", "followed {} to where its cloud has it"),
            _done("cluster.credential_changed", "changed the cloud account of {}"),
            _done("cluster.tested", "tested the connection to {}"),
            _failed("cluster.test_failed", "tested the connection to {}, which failed"),
            _failed("cluster.lost", "lost the cluster {}"),
            _done("cluster.found_again", "reached the cluster {} again"),
            _done("cluster.emptied", "deleted the accesses and external secrets of the cluster {}"),
            _done("cluster.disconnected", "disconnected the cluster {}"),
            _done("kubeconfig.expiring", "found that the kubeconfig of {} ends soon"),
            _failed("kubeconfig.expired", "found that the kubeconfig of {} has ended"),
            _done("cluster.exported", "exported the configuration of {}"),
            _done("service.restarted", "restarted the service {}"),
            _done("drift.found", "found that {} was changed by others"),
            _done("drift.gone", "found that {} is again as it was deployed"),
        ),
    ),
    Group(
        "deploy",
        "Deploys",
        (
            _done("deploy.requested", "asked for {}"),
            _done("deploy.removal_requested", "asked to remove what was made in the cluster, by {}"),
            _done("deploy.joined", "joined {}, which waits"),
            _done("deploy.scheduled", "scheduled {}"),
            _done("deploy.retried", "asked for {}, which tries again"),
            _done("deploy.cancel_requested", "asked to cancel {}"),
            _done("deploy.cancelled", "cancelled {}"),
            _done("deploy.succeeded", "finished {}"),
            _failed("deploy.failed", "failed at {}"),
        ),
    ),
    Group(
        "operator",
        "Operator",
        (
            _done("operator.upgrade_requested", "decided to upgrade the operator of {}"),
            _done("operator.upgrade_withdrawn", "withdrew the upgrade of the operator of {}"),
            _done("operator.proof_requested", "asked to prove the operator of {} again"),
            _done("operator.endpoint_changed", "changed the AWS endpoint of {}"),
            _done("operator.uninstall_requested", "asked to uninstall the operator by {}"),
        ),
    ),
    Group(
        "access",
        "Secret manager accesses",
        (
            _done("access.created", "created the access {}"),
            _done("access.changed", "changed the access {}"),
            _done("access.deleted", "deleted the access {}"),
            _done("access.tested", "tested the access {}"),
            _failed("access.test_failed", "tested the access {}, which failed"),
            _failed("access.failing", "found that the access {} fails"),
            _done("access.recovered", "found that the access {} works again"),
            _done("access.expiring", "found that the credential of the access {} ends soon"),
            _failed("access.expired", "found that the credential of the access {} has ended"),
            _done("access.writing_allowed", "allowed writing through the access {}"),
            _done("access.writing_ended", "ended writing through the access {}"),
        ),
    ),
    Group(
        "secret",
        "Secrets in secret managers",
        (
            _done("secret.write_begun", "began to write a secret through {}"),
            _done("secret.created", "created a secret through {}"),
            _done("secret.version_added", "gave a secret a new version through {}"),
            _done("secret.tagged", "changed the tags of a secret through {}"),
            _done("secret.deleted", "deleted a secret through {}"),
            _done("secret.restored", "restored a secret through {}"),
            _failed("secret.write_failed", "could not write a secret through {}"),
            _failed("secret.write_unknown", "was not told whether a secret was written through {}"),
        ),
    ),
    Group(
        "built_in_store",
        "Built-in store and gateway",
        (
            _done("built_in_store.enabled", "turned on the built-in store of {}"),
            _done("built_in_store.disabled", "turned off the built-in store of {}"),
            _done("built_in_store.purged", "erased the deleted secret {}"),
            _done("gateway.read", "handed out a secret through {}"),
            _refused("gateway.refused", "refused somebody at the gateway of {}"),
        ),
    ),
    Group(
        "external_secret",
        "External secrets",
        (
            _done("external_secret.linked", "linked {}"),
            _done("external_secret.linked_many", "linked a list of secrets from {}"),
            _done("external_secret.changed", "changed the link {}"),
            _done("external_secret.unlinked", "unlinked {}"),
            _done("external_secret.moved", "moved links away from {}"),
            _done("external_secret.imported", "imported external secrets into {}"),
            _done("external_secret.taken_over", "took external secrets of {} over"),
            _done("external_secret.read_again", "had {} read again"),
            _failed("external_secret.failing", "found that {} fails"),
            _done("external_secret.recovered", "found that {} works again"),
        ),
    ),
)

GROUPS: tuple[Group, ...] = (*_WORK, *PEOPLE, *_LOG)
ACTIONS: dict[str, Action] = {action.code: action for group in GROUPS for action in group.actions}


class UnknownAction(ValueError):
    """A code that is not in the table: it would be shown, filtered and explained nowhere."""


def check(code: str) -> None:
    """Refuse a code that is not in the table.

    :raises UnknownAction: with the code
    """
    if code not in ACTIONS:
        raise UnknownAction(f"{code} is no action of the audit log; add it to accounts/audit/actions.py.")


def of(code: str) -> Action:
    """Return a code's action; one of an older release, by now unknown, says its own code."""
    return ACTIONS.get(code) or Action(code, f"{code} {{}}")


def said(code: str) -> tuple[str, str, str]:
    """Return an action's sentence: what comes before the object, "object" where it is named, and what follows."""
    before, names, after = of(code).sentence.partition("{}")
    return before, names and "object", after
