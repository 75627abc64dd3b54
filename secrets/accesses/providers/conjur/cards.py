"""What the cards of Conjur's methods show, as texts to paste."""

import shlex
from typing import TYPE_CHECKING, Any

from accesses.providers import tokens

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft


def _known(access: "Access | AccessDraft", name: str, otherwise: str) -> str:
    return str(access.configuration.get(name) or otherwise)


def _key(access: "Access | AccessDraft") -> dict[str, Any]:
    """Return the policy of a host for the cluster, and the commands that give its key."""
    host = _known(access, "login", f"host/apps/{access.service_account}").removeprefix("host/")
    address = _known(access, "address", "https://conjur.example.com")
    account = _known(access, "account", "ACCOUNT")
    policy = (
        f"- !host\n  id: {host}\n\n- !permit\n  role: !host {host}\n  privileges: [ read, execute ]\n"
        "  resource: !variable prod/db/password"
    )
    return {
        "host": host,
        "policy": policy,
        "load": "conjur policy load --branch root --file keyhaven.yml",
        "rotate": f"conjur host rotate-api-key --id {host}",
        "login": f"curl --user NAME {shlex.quote(f'{address}/authn/{account}/login')}",
    }


def _jwt(access: "Access | AccessDraft") -> dict[str, Any]:
    """Return the policies of an authenticator for the cluster's tokens and of its host, and the commands around."""
    service = _known(access, "service", "keyhaven")
    host = _known(access, "host", "host/jwt-apps/keyhaven").removeprefix("host/")
    issuer, audience = access.cluster.issuer or "ISSUER", _known(access, "audience", "conjur")
    at = f"conjur/authn-jwt/{service}"
    names = ("public-keys", "issuer", "audience")
    variables = "\n".join(f"    - !variable {name}" for name in names)
    return {
        "service": service,
        "host": host,
        "subject": tokens.subject(access),
        "authenticator": (
            f"- !policy\n  id: {at}\n  body:\n    - !webservice\n{variables}\n    - !group apps\n"
            "    - !permit\n      role: !group apps\n      privileges: [ read, authenticate ]\n"
            "      resource: !webservice"
        ),
        "values": "\n".join(
            (
                'kubectl get --raw /openid/v1/jwks | sed \'s/.*/{"type":"jwks","value":&}/\' > keys.json',
                f'conjur variable set --id {at}/public-keys --value "$(cat keys.json)"',
                f"conjur variable set --id {at}/issuer --value {shlex.quote(issuer)}",
                f"conjur variable set --id {at}/audience --value {shlex.quote(audience)}",
                f"conjur authenticator enable --id authn-jwt/{service}",
            )
        ),
        "grant": (
            f"- !host\n  id: {host}\n  annotations:\n    authn-jwt/{service}/sub: {tokens.subject(access)}\n\n"
            f"- !grant\n  role: !group {at}/apps\n  member: !host {host}\n\n"
            f"- !permit\n  role: !host {host}\n  privileges: [ read, execute ]\n"
            "  resource: !variable prod/db/password"
        ),
        "load": "conjur policy load --branch root --file keyhaven.yml",
    }


def of(access: "Access | AccessDraft") -> dict[str, Any]:
    """Return what the cards of its method show."""
    return _jwt(access) if access.method == "jwt" else _key(access)
