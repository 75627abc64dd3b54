"""What somebody can be told of, in words; each topic stands for codes of the audit log."""

from collections.abc import Iterable
from dataclasses import dataclass

from accounts.audit import actions
from accounts.roles import Permission

OWN = "own:"


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing to choose: its words, its codes, and what a person must be allowed to see for it."""

    slug: str
    label: str
    codes: tuple[str, ...]
    permission: Permission
    # Only what the person asked for.
    own: bool = False

    @property
    def actions(self) -> tuple[str, ...]:
        return tuple(f"{OWN}{code}" for code in self.codes) if self.own else self.codes


TOPICS = (
    Topic("deploys", "Deploys that succeeded", ("deploy.succeeded",), Permission.DEPLOY_VIEW),
    Topic(
        "deploy-failures",
        "Deploys that failed or were cancelled",
        ("deploy.failed", "deploy.cancelled"),
        Permission.DEPLOY_VIEW,
    ),
    Topic(
        "accesses",
        "Accesses that fail, and work again",
        ("access.failing", "access.recovered"),
        Permission.ACCESS_VIEW,
    ),
    Topic(
        "external-secrets",
        "External secrets that fail, and work again",
        ("external_secret.failing", "external_secret.recovered"),
        Permission.EXTERNAL_SECRET_VIEW,
    ),
    Topic(
        "expiry",
        "Credentials of accesses that end soon, or have ended",
        ("access.expiring", "access.expired"),
        Permission.ACCESS_VIEW,
    ),
    Topic(
        "kubeconfigs",
        "Kubeconfigs of clusters that end soon, or have ended",
        ("kubeconfig.expiring", "kubeconfig.expired"),
        Permission.CLUSTER_VIEW,
    ),
    Topic(
        "cloud-credentials",
        "Cloud credentials that fail, and work again",
        ("credential.failing", "credential.works_again"),
        Permission.CREDENTIAL_VIEW,
    ),
    Topic(
        "cloud-credential-ends",
        "Cloud credentials that end soon, or have ended",
        ("credential.expiring", "credential.expired"),
        Permission.CREDENTIAL_VIEW,
    ),
    Topic(
        "cluster-health",
        "Clusters that do not answer, and answer again",
        ("cluster.lost", "cluster.found_again"),
        Permission.CLUSTER_VIEW,
    ),
    Topic("drift", "Clusters that were changed by others", ("drift.found", "drift.gone"), Permission.CLUSTER_VIEW),
    Topic(
        "destinations",
        "Destinations that were paused or have gaps",
        ("destination.paused", "destination.skipped"),
        Permission.NOTIFICATION_MANAGE,
    ),
)  # fmt: skip
OWN_DEPLOYS = Topic(
    "own-deploys",
    "Deploys that I asked for",
    ("deploy.succeeded", "deploy.failed", "deploy.cancelled"),
    Permission.DEPLOY_VIEW,
    own=True,
)
PERSONAL = (OWN_DEPLOYS, *TOPICS)
# What is no topic is the audit log itself.
TOLD = frozenset(code for topic in TOPICS for code in topic.actions)

# What a person must be allowed to see an event of a group; any other group takes the right to the log.
_NEEDED = {
    "deploy": Permission.DEPLOY_VIEW,
    "credential": Permission.CREDENTIAL_VIEW,
    "access": Permission.ACCESS_VIEW,
    "external_secret": Permission.EXTERNAL_SECRET_VIEW,
    "drift": Permission.CLUSTER_VIEW,
    "kubeconfig": Permission.CLUSTER_VIEW,
    "destination": Permission.NOTIFICATION_MANAGE,
}


def needed(code: str) -> Permission:
    """Return what somebody must be allowed to be told of an action."""
    return _NEEDED.get(code.partition(".")[0], Permission.AUDIT_VIEW)


def chosen(patterns: Iterable[str], among: Iterable[Topic] = TOPICS) -> list[str]:
    """Return the topics that a choice of actions covers."""
    held = set(patterns)
    return [topic.slug for topic in among if held.issuperset(topic.actions)]


def expand(slugs: Iterable[str], among: Iterable[Topic] = TOPICS) -> list[str]:
    """Return the actions of topics, in the order of the topics."""
    wanted = set(slugs)
    return [action for topic in among if topic.slug in wanted for action in topic.actions]


def is_the_log(patterns: Iterable[str]) -> bool:
    """Tell whether a choice is more than what topics tell: all of the log, or some of it."""
    held = set(patterns)
    return not held or not held <= TOLD | set(OWN_DEPLOYS.actions)


def is_known(pattern: str) -> bool:
    """Tell whether a code, or `group.*`, is one of the audit log."""
    word, star, rest = pattern.partition(".*")
    if star and not rest:
        return any(code.partition(".")[0] == word for code in actions.ACTIONS)
    return pattern in actions.ACTIONS
