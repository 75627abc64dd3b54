"""The steps at Google, as numbered cards, for each way to sign in."""

import json
from urllib.parse import urlsplit

from credentials import issuer
from credentials.clouds.base import Card, Helped, Listing
from credentials.clouds.google import policies, script

_SHELL = ("Open Cloud Shell", "https://shell.cloud.google.com/?show=terminal")
_POOLS = (
    "Open workload identity pools",
    "https://console.cloud.google.com/iam-admin/workload-identity-pools",
)
_DOCS = "https://cloud.google.com/iam/docs/best-practices-for-managing-service-account-keys"


def needs_upload(issuer: str) -> bool:
    """Tell whether Google surely cannot fetch the keys of an issuer: its address is this machine's, or not https."""
    parts = urlsplit(issuer)
    host = parts.hostname or ""
    return parts.scheme != "https" or host in ("localhost", "127.0.0.1", "::1") or "." not in host


def federation(helped: Helped) -> tuple[Card, ...]:
    """Return the steps to a service account that this console acts as without a key."""
    uploads = needs_upload(helped.issuer)
    listings = (
        Listing("the command", script.command(helped, uploads=uploads)),
        Listing("the script", script.SCRIPT.text, script.FILE),
        Listing("the same as gcloud commands", script.listing(helped, uploads=uploads)),
    )
    run = Card(
        "Run this in Google's Cloud Shell",
        "As an owner of the project. It makes a workload identity pool whose provider lets in this organization of this "
        f"console alone, and the service account {script.ACCOUNT} with a custom role of {len(policies.LOOKING)} permissions, "
        "which the console acts as. It may be run again.",
        listings,
        _SHELL,
    )
    more = Card(
        "Only for automatic access: let it make service accounts",
        "Accesses of clusters may have a service account each, which a deploy makes. It needs seven permissions more; "
        "without them everything else works.",
        (Listing("the command", script.automatic_listing(helped.facts)),),
        beside=True,
    )
    copy = Card(
        "Copy what it prints",
        "Enter the project ID, the workload identity provider and the service account below. The provider's name has the "
        "project's number; in the Google Cloud console it is on the provider's page, without //iam.googleapis.com/ or with it.",
        link=_POOLS,
    )
    return (*((_upload(helped),) if uploads else ()), run, copy, more)


def _upload(helped: Helped) -> Card:
    words = (
        "Google cannot fetch this console's public keys from its address, so they are uploaded with the provider. Download "
        "both files, and upload them in Cloud Shell by its menu ⋮. When the console's signing key is replaced, this step and "
        "the next are done again."
    )
    if urlsplit(helped.issuer).scheme != "https":
        words += (
            f" Google takes issuers with https alone: set BASE_URL, which is {helped.issuer}, to an address with "
            "https first. The internet need not reach it."
        )
    keys = json.dumps(issuer.keys(), indent=2)
    return Card(
        "Take the console's public keys along", words, (Listing("the public keys", keys, script.KEYS),)
    )


def key(helped: Helped) -> tuple[Card, ...]:
    """Return the steps to a service account's key."""
    return (
        Card(
            "Consider federation first",
            "A key.json works for whoever has it, from anywhere, until somebody deletes it. Workload identity federation has "
            "nothing that could leak or that has to be replaced. Many organizations forbid keys "
            "(iam.disableServiceAccountKeyCreation).",
            link=("Best practices for keys, in Google's documentation", _DOCS),
        ),
        Card(
            "Make a service account with a key",
            "As an owner of the project, in Cloud Shell. The service account may do what the console needs, and no more.",
            (Listing("the commands", script.key_listing(helped.facts)),),
            _SHELL,
        ),
        Card(
            "Give the file here, then delete it",
            "Paste or upload key.json below. It is stored encrypted. Then delete it where it was made and from your "
            "downloads.",
            (Listing("delete it", "rm key.json"),),
        ),
        Card(
            "Later: let Keyhaven renew the key itself",
            "With this role, granted on the service account itself, a rotation makes the new key and deletes the old one, "
            "and sees when the old one was used last.",
            (Listing("the commands", script.renewing(helped.facts)),),
            beside=True,
        ),
    )
