"""CyberArk Conjur, which CyberArk's cloud calls Secrets Manager."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers import selecting, tokens
from accesses.providers.addresses import bundle
from accesses.providers.base import VAULTS, Method, Provider
from accesses.providers.conjur import cards
from accesses.providers.conjur import client as conjur_client
from accesses.providers.conjur import references as conjur_references
from accesses.providers.conjur import session as conjur_session
from accesses.providers.conjur.forms import ApiKeyForm, JwtForm
from accesses.providers.references import NotReadable
from accesses.providers.writing import Writing

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

SLUG = "conjur"
LOGIN, KEY = "login", "api-key"
# Of annotations by which Conjur shows, rotates or authenticates
_OWN = ("conjur/", "rotation/", "authn-")


# -- by an API key ----------------------------------------------------------------------------------------
@sensitive_variables()
def _by_key(access: "Access | AccessDraft") -> conjur_session.Session:
    place = conjur_session.Place.of(access.configuration)
    key = (access.credential or {}).get("api_key", "")
    return conjur_session.by_key(place, access.configuration["login"], key)


@sensitive_variables()
def _key_data(access: "Access") -> dict[str, str]:
    key = (access.credential or {}).get("api_key", "")
    return {LOGIN: access.configuration["login"], KEY: key} if key else {}


def _key_auth(access: "Access", namespace: str) -> dict[str, Any]:
    return {
        "apikey": {
            "account": access.configuration["account"],
            "userRef": selecting.key_of_secret(access, namespace, LOGIN),
            "apiKeyRef": selecting.key_of_secret(access, namespace, KEY),
        }
    }


# -- by the cluster's tokens --------------------------------------------------------------------------------
def _by_token(access: "Access | AccessDraft") -> conjur_session.Session:
    configuration = access.configuration
    return conjur_session.by_token(
        conjur_session.Place.of(configuration),
        configuration["service"],
        configuration.get("host", ""),
        partial(tokens.token, access, configuration["audience"]),
    )


def _token_auth(access: "Access", namespace: str) -> dict[str, Any]:
    configuration = access.configuration
    reference = selecting.service_account(access, namespace, configuration["audience"])
    found = {
        "account": configuration["account"], "serviceID": configuration["service"], "serviceAccountRef": reference,
    }  # fmt: skip
    host = configuration.get("host", "")
    return {"jwt": found | ({"hostId": host} if host else {})}


def _store(access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    configuration = access.configuration
    ca = configuration.get("ca", "")
    return {
        "conjur": {"url": configuration["address"], "auth": auth} | ({"caBundle": bundle(ca)} if ca else {})
    }


def _writable(access: "Access", name: str) -> str:
    conjur_client.check_name(access.configuration.get("branch", ""), name)
    return name


def check_annotations(tags: Mapping[str, str]) -> None:
    """Check that tags are annotations that mean nothing to Conjur itself.

    :raises NotReadable: with the reason
    """
    for name in tags:
        if name.startswith(_OWN):
            raise NotReadable(
                f"“{name}”: annotations that begin with {' or '.join(_OWN)} tell Conjur what to do."
            )


METHODS = (
    Method(
        "api-key", "API key", "A user's or host's key, stored encrypted here and in the cluster; you rotate it.",
        ApiKeyForm, _key_auth, _by_key, secret_data=_key_data, setup="accesses/setup/conjur_api_key.html",
        fields={"credential": "api_key", "place": "address"},
    ),
    Method(
        "jwt", "JWT authenticator", "No keys stored: Conjur trusts this cluster's tokens.",
        JwtForm, _token_auth, _by_token, annotations=lambda access: {}, setup="accesses/setup/conjur_jwt.html",
        fields={"credential": "service", "trust": "service", "place": "address"},
    ),
)  # fmt: skip
POLICY = """\
# Loaded into root. Nothing but the variables that are named here can be listed or read.
- !host
  id: apps/keyhaven

- !permit
  role: !host apps/keyhaven
  privileges: [ read, execute ]
  resource: !variable prod/db/password"""
WRITING = """\
# Loaded into root. Who owns a policy may make, change and delete what is in it, and read its values.
- !policy
  id: keyhaven
  owner: !host apps/keyhaven"""
PROVIDER = Provider(
    slug=SLUG,
    label="CyberArk Conjur",
    sentence="Variables of one Conjur account, or of CyberArk's Secrets Manager.",
    methods=METHODS,
    store_provider=_store,
    connect=conjur_client.Client,
    cards=cards.of,
    references=conjur_references.SECRETS,
    policy=POLICY,
    policy_note="read lets the console list a variable with its annotations, execute lets the operator read its value. "
    "Conjur has no wildcards: repeat the permit for each variable, or grant the host a group that has them.",
    group=VAULTS,
    typed_address=True,
    writing=Writing(
        policy=WRITING,
        versions=False,
        restores=False,
        most_bytes=1_000_000,
        name=_writable,
        check_tags=check_annotations,
        note="Conjur keeps a variable's twenty latest values; the operator reads the newest alone. "
        "A deleted variable is gone with all of them, and does not come back.",
    ),
    refusals=(
        *conjur_session.KEY_REFUSALS, conjur_session.PASSWORD_REFUSALS[0], *conjur_session.JWT_REFUSALS[:-1],
        *conjur_client.REFUSALS,
    ),
    limits="Conjur limits no requests of its own; CyberArk's cloud and proxies in front of Conjur may, and answer 429. The "
    "console asks for a hundred names a request, or a thousand while it looks for a beginning. The operator signs in each "
    "time that it reads an external secret, then asks once for each value; taking several by name or annotations lists "
    "every variable that the identity sees, a hundred a request.",
)  # fmt: skip
