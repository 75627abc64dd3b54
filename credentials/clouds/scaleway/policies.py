"""What a key needs to be allowed at Scaleway, as lines for its command line tool, and the steps that make one."""

import shlex

from credentials.clouds.base import Card, Facts, Helped, Listing

READ = "KubernetesReadOnly"
IAM = "IAMReadOnly"
MANAGER = "IAMManager"
MASTERS = "KubernetesSystemMastersGroupAccess"
NOTE = (
    "For finding clusters and reading their address. What the key may do inside a cluster is said there, by Keyhaven's "
    f"manifest; {MASTERS} would give it everything, and is not needed."
)
_SETS = "https://www.scaleway.com/en/docs/iam/reference-content/permission-sets/"
_CONSOLE = "https://console.scaleway.com/iam"


def _policy(facts: Facts, name: str, permission: str, scope: str) -> str:
    bearer = (
        f"user-id={facts['user']}" if facts.get("user") else f"application-id={_word(facts, 'application')}"
    )
    return (
        f"scw iam policy create name={name} {bearer} \\\n"
        f"  rules.0.permission-set-names.0={permission} {scope}"
    )


def _word(facts: Facts, name: str) -> str:
    return shlex.quote(facts.get(name) or f"{name.upper()}_ID")


def clusters(facts: Facts) -> str:
    """Return the least that finding clusters needs."""
    return _policy(facts, "keyhaven", READ, f"rules.0.project-ids.0={_word(facts, 'project')}")


def own_key(facts: Facts) -> str:
    """Return what telling when the key ends needs besides."""
    return _policy(facts, "keyhaven-iam", IAM, f"rules.0.organization-id={_word(facts, 'organization')}")


def keys(facts: Facts) -> str:
    """Return what making and deleting keys needs."""
    return _policy(facts, "keyhaven-keys", MANAGER, f"rules.0.organization-id={_word(facts, 'organization')}")


def cards(helped: Helped) -> tuple[Card, ...]:
    """Return the steps by which somebody makes an API key for the console."""
    organization = _word(helped.facts, "organization")
    return (
        Card(
            "Make an application",
            "An application is an identity of its own: it stays when a person leaves, and has no password.",
            (Listing("Command", f"scw iam application create name=keyhaven organization-id={organization}"),),
            ("IAM in the Scaleway console", _CONSOLE),
        ),
        Card(
            "Say what it may do",
            f"{READ} for the project that has the clusters, and nothing else. With {IAM} for the organization Keyhaven can "
            "also tell when the key ends; it lets the key list everybody in the organization, and may be left out.",
            (
                Listing("Least policy", clusters(helped.facts)),
                Listing("To be told when the key ends", own_key(helped.facts)),
            ),
            ("Permission sets", _SETS),
        ),
        Card(
            "Make its API key",
            "The secret key is shown once. Give the key an end; Keyhaven reminds of it.",
            (
                Listing(
                    "Command",
                    f"scw iam api-key create application-id={_word(helped.facts, 'application')} description=keyhaven \\\n"
                    "  expires-at=2160h",
                ),
            ),
        ),
    )
