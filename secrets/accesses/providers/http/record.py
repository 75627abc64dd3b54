"""Any HTTP interface that gives one value for one request, by the operator's webhook provider."""

from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from django.views.decorators.debug import sensitive_variables

from accesses.providers import selecting
from accesses.providers.addresses import bundle
from accesses.providers.asking import Api, Refusal, reached
from accesses.providers.base import ELSEWHERE, Entry, Method, Page, Probe, Provider
from accesses.providers.http import paths as http_paths
from accesses.providers.http import references as http_references
from accesses.providers.http import templates as http_templates
from accesses.providers.http.forms import HeaderForm, OpenForm
from config import egress
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

SLUG, VENDOR = "http", "The source"
CREDENTIAL = "credential_value"
UNLISTED = "An HTTP source cannot be asked for names."
# What stands before the credential in the header.
SCHEMES = {"bearer": "Bearer ", "token": "Token ", "basic": "Basic ", "none": ""}
REFUSALS = (
    Refusal(
        401, errors.CredentialRefused,
        "The source does not know the credential.",
        "Check the header, what stands before the credential, and the credential itself.",
    ),
    Refusal(
        403, errors.CredentialRefused,
        "The source knows the credential, and does not give it the name to test with.",
        "Allow it to read that name, or test with another one.",
    ),
    Refusal(
        404, errors.NotThere,
        "The source has nothing for the name to test with.",
        "Check the address and the name. To the operator 404 means that a secret was deleted.",
    ),
    Refusal(
        405, errors.NotValid,
        "The source does not take this method.",
        "Choose GET or POST, as its documentation says.",
    ),
    Refusal(
        429, errors.Throttled,
        "The source asks to slow down.",
        "Wait a minute and try again.",
    ),
)  # fmt: skip
_NO_PATH = "What the source answers has nothing at the path of the value."


class Client:
    """Tries the address with the name to test with; a source gives nothing else away."""

    def __init__(self, access: "Access | AccessDraft", headers: dict[str, str]) -> None:
        self._configuration, self._headers = access.configuration, headers

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Raise why there are no names, after trying the one to test with.

        :raises NotPossibleHere: always, where the source does not refuse that one
        """
        if name := self._configuration.get("test_key", ""):
            self._try(name)
        self._unlisted(bool(name))

    def _unlisted(self, tried: bool) -> NoReturn:
        found = " It answered for the name to test with." if tried else ""
        raise errors.NotPossibleHere(
            f"{UNLISTED}{found}",
            "Type names instead. Whether they are read, the operator tells after a deploy.",
        )

    @sensitive_variables()
    def _try(self, name: str) -> None:
        """Send the request that the operator would, and look whether a value came; it is dropped here.

        :raises ProviderError: it did not
        """
        found = self._configuration
        url = http_templates.filled(found["url"], {"key": name}, address=True)
        body = http_templates.filled(found.get("body", ""), {"key": name}, address=False).encode() or None
        with reached(VENDOR), egress.session(ca=found.get("ca", "")) as session:
            got = session.request(found["verb"], url, data=body, headers=headers_of(found) | self._headers)
        if not 200 <= got.status_code < 300:
            raise Api(VENDOR, url, REFUSALS).refused(got.status_code, None)
        if path := found.get("path", ""):
            try:
                there = http_paths.leads(got.json(), path)
            except (ValueError, RecursionError):
                there = False
            if not there:
                raise errors.NotReachable(_NO_PATH, "Compare the path with an answer of the source.")

    def whoami(self) -> str:
        return f"the credential, at {urlsplit(self._configuration['url']).hostname}"

    def probe(self, entries: list[Entry]) -> list[Probe]:
        return []

    def statement(self, actions: list[str]) -> str:
        return POLICY


def headers_of(configuration: dict[str, Any]) -> dict[str, str]:
    """Return the headers that have no credential in them."""
    found = {"Accept": "application/json"} if configuration.get("path") else {}
    return found | ({"Content-Type": "application/json"} if configuration.get("body") else {})


# -- signing in -----------------------------------------------------------------------------------------------
@sensitive_variables()
def _with_header(access: "Access | AccessDraft") -> dict[str, str]:
    value = (access.credential or {}).get(CREDENTIAL, "")
    if not value:
        raise errors.CredentialRefused(
            "There is no credential.", "Enter the token or key that the source wants."
        )
    configuration = access.configuration
    return {configuration["header"]: f"{SCHEMES[configuration['scheme']]}{value}"}


@sensitive_variables()
def _secret_data(access: "Access") -> dict[str, str]:
    value = (access.credential or {}).get(CREDENTIAL, "")
    return {"token": value} if value else {}


def _auth(access: "Access", namespace: str) -> dict[str, Any]:
    return selecting.key_of_secret(access, namespace, "token")


def _store(access: "Access", auth: dict[str, Any] | None) -> dict[str, Any]:
    """Return `spec.provider`; what a person wrote between braces are the operator's own templates there."""
    found = access.configuration
    headers = headers_of(found)
    spec: dict[str, Any] = {
        "url": http_templates.operators(found["url"]),
        "method": found["verb"],
        "timeout": f"{found['timeout']}s",
    }
    if body := found.get("body"):
        spec["body"] = http_templates.operators(body)
    if path := found.get("path"):
        spec["result"] = {"jsonPath": path}
    if ca := found.get("ca"):
        spec["caBundle"] = bundle(ca)
    if auth is not None:
        headers[found["header"]] = f"{SCHEMES[found['scheme']]}{{{{ .credential.token }}}}"
        spec["secrets"] = [{"name": "credential", "secretRef": auth}]
    return {"webhook": spec | ({"headers": headers} if headers else {})}


POLICY = """\
GET https://secrets.example.com/v1/NAME
Authorization: Bearer CREDENTIAL

200 and the value, alone or within JSON
404 where there is no such secret, and only then"""
_FIELDS = {"credential": CREDENTIAL, "place": "test_key"}
PROVIDER = Provider(
    slug=SLUG,
    label="HTTP source",
    sentence="Any HTTP interface that gives one value for one request.",
    methods=(
        Method(
            "header",
            "Credential in a header",
            "Stored encrypted here and in the cluster; you rotate it.",
            HeaderForm,
            _auth,
            _with_header,
            secret_data=_secret_data,
            fields=_FIELDS,
        ),
        Method(
            "open",
            "No credential",
            "For a source that trusts the cluster's network. Whoever reaches it reads it.",
            OpenForm,
            lambda access, namespace: None,
            lambda access: {},
            fields={"place": "test_key"},
        ),
    ),
    store_provider=_store,
    connect=Client,
    references=http_references.PLAIN_SOURCE,
    references_by=http_references.of,
    policy=POLICY,
    policy_note="What the source has to answer. 404 means that a secret was deleted: a source that answers it while it is "
    "out of order, or to who may not read, makes the operator do what a link says for that.",
    group=ELSEWHERE,
    typed_address=True,
    refusals=REFUSALS,
    limits="The source has its own. The console asks once a test, and only for the name to test with; the operator asks once "
    "for each value each time that it reads.",
    unlisted=UNLISTED,
    secret_labels={"external-secrets.io/type": "webhook"},
)
