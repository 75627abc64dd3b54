"""Doppler: the secrets of one config."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from accesses.providers import selecting, tokens
from accesses.providers.asking import Api, understood
from accesses.providers.base import VAULTS, Entry, Method, Obstacle, Page, Probe, Provider, Situation
from accesses.providers.doppler import references as doppler_references
from accesses.providers.doppler import refusals as doppler_refusals
from accesses.providers.doppler.forms import AccountForm, IdentityForm, ServiceTokenForm
from accesses.providers.writing import Writing
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

SLUG, LABEL, API = "doppler", "Doppler", "https://api.doppler.com"
# Whom the cluster's tokens are for, whatever address the operator asks.
AUDIENCE = API
READ, WRITE = "enclave_project_config_secrets_read", "enclave_project_config_secrets_write"
SHOWN = 100
_NAMES, _SECRETS, _SECRET = (f"/v3/configs/config/{part}" for part in ("secrets/names", "secrets", "secret"))
_TYPES = {"service_token": "service token", "personal": "personal token", "cli": "token of the command line"}


def _api(token: str = "") -> Api:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Api(
        LABEL,
        settings.DOPPLER_ENDPOINT_URL or API,
        doppler_refusals.REFUSALS,
        headers=lambda: headers,
        code_of=doppler_refusals.code_of,
    )


def grant(configuration: Mapping[str, str], action: str) -> str:
    """Return what allows an action, as text to paste."""
    project, config = configuration.get("project") or "PROJECT", configuration.get("config") or "CONFIG"
    access = "read" if action == READ else "read/write"
    return (
        f"# {action}: a service token of the config\n"
        f'doppler configs tokens create keyhaven --project {project} --config {config} --access "{access}" --plain'
    )


class Client:
    """Lists names with the access's own token; never asks for a value."""

    def __init__(self, access: "Access | AccessDraft", api: Api) -> None:
        self._configuration, self._api = access.configuration, api
        names = ("project", "config")
        self._place = {name: text for name in names if (text := access.configuration.get(name, ""))}
        self._kept: list[str] = []

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries by name; Doppler tells all at once, so that a walk asks it once."""
        if not cursor:
            self._kept = self._names()
        found = [name for name in self._kept or self._names() if name.startswith(prefix) and name > cursor]
        shown = found[:SHOWN]
        return Page([_entry(name) for name in shown], shown[-1] if len(found) > SHOWN else "")

    def _names(self) -> list[str]:
        query = self._place | {"include_dynamic_secrets": "false", "include_managed_secrets": "false"}
        answer = self._api.ask("GET", _NAMES, permission=READ, policy=self.statement([READ]), query=query)
        with understood(LABEL):
            return sorted({str(name) for name in answer.body["names"]} - {*doppler_references.MANAGED})

    def whoami(self) -> str:
        """Return what kind of token it is, and of which workplace; nothing of the token itself."""
        answer = self._api.ask("GET", "/v3/me")
        with understood(LABEL):
            kind, name = str(answer.body["type"]), answer.body.get("name") or answer.body.get("slug") or ""
            return f"{_TYPES.get(kind, kind.replace('_', ' '))} {name} of {answer.body['workplace']['name']}"

    def probe(self, entries: list[Entry]) -> list[Probe]:
        """Return that names are told by the same permission as values; Doppler has no question for more."""
        return [Probe(READ, True, "Doppler tells names to those who may read")] if entries else []

    def statement(self, actions: list[str]) -> str:
        return "\n".join(grant(self._configuration, action) for action in actions)

    # -- writing -------------------------------------------------------------------------------------------------
    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Make a secret and return its name.

        :raises AlreadyThere: there is one
        """
        if name in self._names():
            raise errors.AlreadyThere("There is a secret of that name in the config.")
        self._change(name, None, value)
        return name

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        """Give a secret a new value.

        :raises NotThere: there is none
        """
        self._require(name)
        self._change(name, name, value)

    @sensitive_variables()
    def _change(self, name: str, before: str | None, value: str) -> None:
        # The answer holds values; nobody reads it.
        change = {"name": name, "originalName": before, "value": value}
        self._written("POST", _SECRETS, json=self._place | {"change_requests": [change]})

    def delete(self, name: str) -> None:
        """Delete a secret.

        :raises NotThere: there is none
        """
        self._require(name)
        self._written("DELETE", _SECRET, query=self._place | {"name": name})

    def _written(self, method: str, path: str, **request: Any) -> None:
        self._api.ask(method, path, permission=WRITE, policy=self.statement([WRITE]), **request)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        raise errors.NotPossibleHere("Doppler's secrets have no tags.")

    def restore(self, name: str) -> None:
        raise errors.NotPossibleHere(
            "Doppler brings a secret back by rolling a whole config back.", "Do it in the config's log there."
        )

    def _require(self, name: str) -> None:
        if name not in self._names():
            raise errors.NotThere("There is no secret of that name in the config.", "Check the name.")


def _entry(name: str) -> Entry:
    return Entry(name=name, reference=name, kind="secret")


# -- the ways to sign in -------------------------------------------------------------------------------------------
@sensitive_variables()
def _by_token(access: "Access | AccessDraft") -> Api:
    token = (access.credential or {}).get("token", "")
    if not token:
        raise errors.CredentialRefused("There is no token.", "Enter one.")
    return _api(token)


def _token_auth(access: "Access", namespace: str) -> dict[str, Any]:
    selector = selecting.key_of_secret(access, namespace, "dopplerToken")
    return {"secretRef": {"dopplerToken": selector}}


@sensitive_variables()
def _token_data(access: "Access") -> dict[str, str]:
    return {"dopplerToken": (access.credential or {}).get("token", "")}


def trust(access: "Access | AccessDraft") -> str:
    """Return what the identity at Doppler must trust, as text to compare."""
    issuer = access.cluster.issuer or "the cluster's OIDC issuer"
    return f"Discovery URL: {issuer}\nAudience: {AUDIENCE}\nSubject: {tokens.subject(access)}"


@sensitive_variables()
def _by_identity(access: "Access | AccessDraft") -> Api:
    body = {"identity": access.configuration["identity"], "token": tokens.token(access, AUDIENCE)}
    answer = _api().ask("POST", "/v3/auth/oidc", json=body, quiet=(400, 401, 403, 404))
    if answer.status != 200:
        raise errors.TrustMissing(
            "Doppler does not let the cluster's token in by this identity.",
            "Compare the identity's ID, its discovery URL, audience and subject.",
            trust(access),
        )
    with understood(LABEL):
        return _api(str(answer.body["token"]))


def _identity_auth(access: "Access", namespace: str) -> dict[str, Any]:
    reference = selecting.service_account(access, namespace, AUDIENCE)
    return {"oidcConfig": {"identity": access.configuration["identity"], "serviceAccountRef": reference}}


def _no_annotations(access: "Access | AccessDraft") -> dict[str, str]:
    return {}


def _identity_obstacle(situation: Situation) -> Obstacle | None:
    if situation.cluster.issuer:
        return None
    return Obstacle(
        f"The OIDC issuer of {situation.cluster} is not known, by which Doppler would trust its tokens.",
        "Test the connection in the cluster's settings, or use a service token.",
        "clusters:settings",
    )


METHODS = (
    Method(
        slug="service-token",
        label="Service token",
        consequence="A token of one config, stored encrypted here and in the cluster.",
        form=ServiceTokenForm,
        auth=_token_auth,
        sign_in=_by_token,
        secret_data=_token_data,
        setup="accesses/setup/doppler_service_token.html",
        fields={"credential": "token", "place": "config"},
    ),
    Method(
        slug="account-token",
        label="Service account's or personal token",
        consequence="A token that may reach more than one config, stored encrypted here and in the cluster.",
        form=AccountForm,
        auth=_token_auth,
        sign_in=_by_token,
        secret_data=_token_data,
        fields={"credential": "token", "place": "config"},
    ),
    Method(
        slug="oidc",
        label="Service account identity (OIDC)",
        consequence="No stored token: Doppler trusts the cluster's own. Needs an issuer that Doppler reaches.",
        form=IdentityForm,
        auth=_identity_auth,
        sign_in=_by_identity,
        annotations=_no_annotations,
        obstacle=_identity_obstacle,
        setup="accesses/setup/doppler_oidc.html",
        fields={"credential": "identity", "trust": "identity", "place": "config"},
    ),
)


def _cards(access: "Access | AccessDraft") -> dict[str, Any]:
    return {"command": grant(access.configuration, READ), "audience": AUDIENCE}


def _store(access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    names = ("project", "config")
    place = {name: text for name in names if (text := access.configuration.get(name, ""))}
    return {"doppler": place | {"auth": auth}}


PROVIDER = Provider(
    slug=SLUG,
    label=LABEL,
    sentence="Secrets of one config of a project.",
    methods=METHODS,
    store_provider=_store,
    connect=Client,
    cards=_cards,
    references=doppler_references.SECRETS,
    policy=grant({}, READ),
    policy_note="A service token reads the one config that it is of. A service account needs a role of the project with "
    f"{READ}, for that config's environment.",
    group=VAULTS,
    writing=Writing(
        policy=grant({}, WRITE),
        versions=False,
        restores=False,
        tags=False,
        name=doppler_references.name_of_new,
        note="Doppler reads ${NAME} in a value as a reference to another secret. A deleted secret, or an older value, comes "
        "back only when the whole config is rolled back, in its log there.",
    ),
    refusals=doppler_refusals.REFUSALS,
    limits="Doppler counts requests per minute, by plan and by token: 240 reads, 120 reads of secrets and 60 writes on "
    "Developer; 480, 240 and 120 on Team; 480, 480 and 240 on Enterprise. The console asks once for all names; the operator "
    "asks once for each value that it reads.",
)
