"""The policy generator: from prefixes and keys to the very text that lets an identity read these secrets and no others."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django import forms
from django.core.validators import RegexValidator
from django.urls import reverse

from accesses.providers import Provider
from accesses.providers.aws.forms import clean_region
from accesses.setup import google_script, policies
from credentials.clouds import google

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft
    from clusters.models import Cluster

_QUIET = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
_LINES = {"rows": 3, "spellcheck": "false", "autocapitalize": "none"}
_DECRYPT = (
    "Decrypts what these keys encrypt, and only for the secret manager that asks in the identity's name."
)
_ROLES = {
    google_script.READS: "The operator reads values with it; the console never does.",
    google_script.LISTS: "Lists the names to pick from, without values.",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One action or role: what is allowed, on which names, and why."""

    what: str
    on: list[str]
    why: str


@dataclass(frozen=True, slots=True)
class Made:
    """What was generated: the text, the file it is downloaded as, and what each line of it is for."""

    text: str
    file: str
    kind: str
    lines: list[Line]
    note: str
    size: int = 0
    # What writing needs besides, where nothing is generated for it.
    writing: str = ""


class GeneratorForm(forms.Form):
    """What a policy is to cover; all of it stands in the page's address, so that nothing in it is long enough for IAM's limit."""

    prefixes = forms.CharField(
        label="Prefixes",
        required=False,
        max_length=2000,
        help_text="What the secrets' names begin with, one a line, for example prod/shop/. Empty is every secret.",
        widget=forms.Textarea(attrs=_LINES),
    )

    def __init__(self, provider: str, data: Any) -> None:
        super().__init__(data)
        self.provider = provider

    def made(self) -> Made:
        """Return what a valid form asks for."""
        raise NotImplementedError

    def query(self) -> str:
        """Return the address's query that leads to this very page."""
        return urlencode({"provider": self.provider} | {k: v for k, v in self.cleaned_data.items() if v})


class AwsForm(GeneratorForm):
    """A policy of AWS IAM."""

    kms = forms.CharField(
        label="KMS keys",
        required=False,
        max_length=4000,
        help_text="The ARNs of customer-managed keys that the secrets are encrypted with, one a line.",
        widget=forms.Textarea(attrs=_LINES),
    )
    region = forms.CharField(
        label="Region", required=False, max_length=30, widget=forms.TextInput(attrs=_QUIET)
    )
    account = forms.CharField(
        label="AWS account",
        required=False,
        max_length=20,
        validators=[RegexValidator(r"\A\d{12}\Z", "AWS accounts have 12 digits.")],
        help_text="The account that has the secrets.",
        widget=forms.TextInput(attrs=_QUIET),
    )
    field_order = ("region", "account", "prefixes", "kms")

    def clean_region(self) -> str:
        typed: str = self.cleaned_data["region"]
        return clean_region(typed) if typed else ""

    def clean_prefixes(self) -> str:
        return "\n".join(policies.clean_prefixes(self.provider, self.cleaned_data["prefixes"].splitlines()))

    def clean_kms(self) -> str:
        keys = self.cleaned_data["kms"].splitlines()
        return "\n".join(policies.clean_kms_keys(keys, self.cleaned_data.get("region", "")))

    def clean(self) -> dict[str, Any]:
        """A narrowed policy names the account and the region."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("prefixes"):
            for name, what in (("region", "region"), ("account", "account")):
                if cleaned.get(name) == "":
                    self.add_error(name, f"Enter the {what}: a policy for prefixes names it.")
        return cleaned

    def _document(self) -> policies.Document:
        cleaned = self.cleaned_data
        known = cleaned["region"] and cleaned["account"]
        return policies.document(
            self.provider,
            place=policies.Place(cleaned["account"], cleaned["region"]) if known else None,
            prefixes=cleaned["prefixes"].splitlines(),
            kms_keys=cleaned["kms"].splitlines(),
        )

    def made(self) -> Made:
        """Return what a valid form asks for."""
        document = self._document()
        on = {
            action: [one["Resource"]] if isinstance(one["Resource"], str) else one["Resource"]
            for one in document["Statement"]
            for action in one["Action"]
        }
        why = policies.ACTIONS[self.provider] | {"kms:Decrypt": _DECRYPT}
        return Made(
            policies.text(document),
            f"keyhaven-{self.provider}-policy.json",
            "application/json",
            [Line(action, resources, why[action]) for action, resources in on.items()],
            policies.note(self.provider),
            policies.size(document),
        )


class GoogleForm(GeneratorForm):
    """The roles of Google IAM, granted by gcloud."""

    project = forms.CharField(
        label="Project ID",
        max_length=130,
        validators=[RegexValidator(rf"\A(?:{google.PROJECT.pattern})\Z", "This is not the ID of a project.")],
        error_messages={"required": "Enter the ID of the project that has the secrets."},
        widget=forms.TextInput(attrs=_QUIET),
    )
    member = forms.CharField(
        label="Identity",
        max_length=400,
        validators=[
            RegexValidator(
                r"\A(serviceAccount|principal|principalSet):[^\s\"'\\]+\Z",
                "An identity looks like serviceAccount:keyhaven@acme-secrets.iam.gserviceaccount.com.",
            )
        ],
        error_messages={"required": "Enter the identity that is to read."},
        help_text="serviceAccount: and an e-mail address, or principal: and the name of a cluster's ServiceAccount.",
        widget=forms.TextInput(attrs=_QUIET),
    )
    number = forms.CharField(
        label="Project number",
        required=False,
        max_length=20,
        validators=[RegexValidator(r"\A\d+\Z", "A project's number has digits only.")],
        help_text="Needed with prefixes: Google names secrets by it. gcloud projects describe PROJECT prints it.",
        widget=forms.TextInput(attrs=_QUIET),
    )
    field_order = ("project", "member", "prefixes", "number")

    def __init__(self, provider: str, data: Any) -> None:
        super().__init__(provider, data)
        self.fields[
            "prefixes"
        ].help_text = (
            "What the secrets' names begin with, one a line, for example prod-shop-. Empty is every secret."
        )

    def clean_prefixes(self) -> str:
        return "\n".join(google_script.clean_prefixes(self.cleaned_data["prefixes"].splitlines()))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("prefixes") and cleaned.get("number") == "":
            self.add_error("number", "Enter the project's number: a condition on names has it, not the ID.")
        return cleaned

    def made(self) -> Made:
        """Return what a valid form asks for."""
        cleaned = self.cleaned_data
        prefixes = cleaned["prefixes"].splitlines()
        text = google_script.grants(
            cleaned["project"], cleaned["member"], number=cleaned["number"], prefixes=prefixes
        )
        on = {google_script.READS: [f"{one}*" for one in prefixes] or ["*"], google_script.LISTS: ["*"]}
        lines = [Line(role, on[role], why) for role, why in _ROLES.items()]
        note = google_script.NARROWED if prefixes else ""
        return Made(f"{text}\n", "keyhaven-grants.sh", "text/x-shellscript", lines, note)


class PlainForm(GeneratorForm):
    """What a secret manager is told in other ways than a policy that could be written for names: as its record says it."""

    field_order = ()

    def __init__(self, provider: Provider, data: Any) -> None:
        super().__init__(provider.slug, data)
        del self.fields["prefixes"]
        self._record = provider

    def made(self) -> Made:
        """Return the text of the provider's record."""
        record = self._record
        return Made(
            record.policy.strip() + "\n",
            f"keyhaven-{record.slug}.txt",
            "text/plain",
            [],
            record.policy_note,
            writing=record.writing.policy if record.writing else "",
        )


def form(provider: Provider, cluster: "Cluster", asked: dict[str, str]) -> GeneratorForm:
    """Return the form of a provider; what the address does not say is the cluster's own."""
    if provider.slug not in policies.ACTIONS and provider.cloud != "gcp":
        return PlainForm(provider, asked)
    return _narrowing(provider.slug, cluster, asked)


def _narrowing(provider: str, cluster: "Cluster", asked: dict[str, str]) -> "AwsForm | GoogleForm":
    own = cluster.cloud == ("gcp" if provider.startswith("gcp") else "aws")
    if provider.startswith("gcp"):
        return GoogleForm(provider, {"project": cluster.account if own else ""} | asked)
    known = {"region": cluster.region, "account": cluster.account} if own else {}
    return AwsForm(provider, known | asked)


def url(access: "Access | AccessDraft") -> str:
    """Return the generator's page for what an access reads, as far as it is known by now."""
    cluster, found = access.cluster, access.configuration
    kwargs = {"org": cluster.organization.slug, "cluster": cluster.name}
    known = {"provider": access.provider, "region": found.get("region", "")}
    if access.provider.startswith("gcp"):
        email = found.get("email", "")
        known = {"provider": access.provider, "project": found.get("project", "")}
        known["member"] = f"serviceAccount:{email}" if email else ""
    elif account := policies.account_of(access):
        known["account"] = account
    known["prefixes"] = access.prefix
    narrowed = access.provider in policies.ACTIONS or access.provider.startswith("gcp")
    if access.prefix and narrowed and not known.get("account"):
        # A policy for a prefix names the account or the project's number: that is asked for first.
        known["ask"] = "1"
    query = urlencode({name: text for name, text in known.items() if text})
    return f"{reverse('accesses:policy', kwargs=kwargs)}?{query}"
