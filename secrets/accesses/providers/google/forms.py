"""The forms of the Google methods."""

import re
from collections.abc import Mapping
from typing import Any

from django import forms

from accesses.providers.base import ConfigurationForm, SecretField, Situation
from accesses.providers.configuring import AS_TYPED
from credentials.chooser import CloudCredentialField
from credentials.clouds import google
from credentials.clouds.google import regions as google_regions
from credentials.fields import SealedTextarea, SuggestingInput

AUDIENCE = re.compile(
    r"//iam\.googleapis\.com/projects/(?P<number>\d{1,20})/locations/global"
    r"/workloadIdentityPools/(?P<pool>[a-z0-9-]{1,64})/providers/(?P<provider>[a-z0-9-]{1,64})",
    re.ASCII,
)


class PlaceForm(ConfigurationForm):
    """Where the secrets live: a project, and a region only if they are regional."""

    project = forms.CharField(
        label="Project ID",
        max_length=130,
        help_text="The project that holds the secrets: its ID, for example acme-secrets, not its number or name.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    region = forms.CharField(
        label="Region",
        max_length=40,
        required=False,
        help_text="Leave it empty unless the secrets are regional. With a region, Google answers at that region's own "
        "endpoint, which knows its regional secrets only: global ones are then not found.",
        widget=SuggestingInput(google_regions.served),
    )

    def prepare(self, situation: Situation) -> None:
        if situation.cluster.cloud == "gcp":
            self.initial.setdefault("project", situation.cluster.account)

    def clean_project(self) -> str:
        project: str = self.cleaned_data["project"].strip()
        if not project and not self.fields["project"].required:
            return ""
        if project.isdigit():
            raise forms.ValidationError(f"{project} is a project's number. Enter its ID, which has letters.")
        if not google.PROJECT.fullmatch(project):
            raise forms.ValidationError(
                f"{project} is not the ID of a project: 6 to 30 small letters, digits and hyphens, beginning with a letter."
            )
        return project

    def clean_region(self) -> str:
        return clean_region(self.cleaned_data["region"])


def clean_region(text: str) -> str:
    """Return a Google region, or say why it is none; an empty one is for global secrets."""
    typed = text.strip().lower()
    regions = google_regions.served()
    named = [code for code, city in regions.items() if typed and typed == city.lower()]
    region = named[0] if named else typed
    if region == "global":
        raise forms.ValidationError("Leave the region empty for global secrets.")
    if re.fullmatch(r"[a-z]+-[a-z]+\d{1,2}-[a-f]", region):
        raise forms.ValidationError(f"{region} is a zone. Its region is {region[:-2]}.")
    if region and region not in regions:
        raise forms.ValidationError(
            f"{typed} is not a Google region, as far as this console knows. Choose one of the list; "
            "if Google opened it lately, an administrator adds it to EXTRA_REGIONS."
        )
    return region


class AutomaticForm(PlaceForm):
    """The service account that a deploy makes: for which secrets."""


class AmbientForm(PlaceForm):
    """Whatever identity the operator's own pods have."""


def _clean_email(text: str) -> str:
    email = text.strip()
    if email and not re.fullmatch(
        r"[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9.-]+\.iam\.gserviceaccount\.com", email
    ):
        raise forms.ValidationError(
            "This is not the e-mail address of a service account; one looks like "
            "keyhaven@acme-secrets.iam.gserviceaccount.com."
        )
    return email


class WorkloadIdentityForm(PlaceForm):
    """A service account that the cluster's ServiceAccount may act as."""

    email = forms.CharField(
        label="Service account",
        max_length=250,
        help_text="The e-mail address of a Google service account that may read the secrets.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )

    def clean_email(self) -> str:
        return _clean_email(self.cleaned_data["email"])


class FederationForm(PlaceForm):
    """A workload identity pool's provider that trusts the cluster's issuer."""

    audience = forms.CharField(
        label="Workload identity provider",
        max_length=300,
        help_text="//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER",
        widget=forms.TextInput(attrs=AS_TYPED),
    )
    email = forms.CharField(
        label="Service account",
        max_length=250,
        required=False,
        help_text="Only where the secrets are granted to a service account and not to the cluster's identity itself.",
        widget=forms.TextInput(attrs=AS_TYPED),
    )

    def clean_email(self) -> str:
        return _clean_email(self.cleaned_data["email"])

    def clean_audience(self) -> str:
        typed: str = self.cleaned_data["audience"].strip()
        audience = "//iam.googleapis.com/" + re.sub(r"^(https:)?(//iam\.googleapis\.com)?/*", "", typed)
        if not AUDIENCE.fullmatch(audience):
            raise forms.ValidationError(_what_is_wrong(audience))
        return audience


def _what_is_wrong(audience: str) -> str:
    """Say what an audience lacks."""
    parts = audience.removeprefix("//iam.googleapis.com/").split("/")
    if "workforcePools" in parts:
        return "This is a workforce pool, which is for people. Clusters sign in by a workload identity pool."
    if parts[0] != "projects" or len(parts) < 2:
        return "This does not name a provider: it begins with //iam.googleapis.com/projects/ and the project's number."
    if not parts[1].isdigit():
        return f"It names the project {parts[1][:60]} by its ID. Here Google wants the project's number."
    if parts[2:4] != ["locations", "global"]:
        return "Workload identity pools are global: after the number stands /locations/global."
    if parts[4:5] != ["workloadIdentityPools"] or len(parts) < 6:
        return "It names no pool: after global stands /workloadIdentityPools/ and the pool's ID."
    if parts[6:7] != ["providers"] or len(parts) < 8 or not parts[7]:
        return "It ends with the pool. Add /providers/ and the ID of the pool's provider."
    return "The IDs of pools and providers have small letters, digits and hyphens, and nothing follows them."


class KeyForm(PlaceForm):
    """A service account's key.json: uploaded, pasted, or one of the organization's cloud credentials."""

    FOLDED = {"Paste it instead": ("key",)}
    ONLY = dict.fromkeys(("key_file", "key"), "if-typed")
    ONE_OF = ("cloud_credential", "key_file", "key")

    cloud_credential = CloudCredentialField("Key", "Given below, for this access alone")
    key_file = forms.FileField(
        label="key.json",
        required=False,
        widget=forms.FileInput(attrs={"accept": ".json,application/json"}),
        help_text="Stored encrypted and never shown again. Of the addresses in it none is used.",
        error_messages={"empty": "The file is empty."},
    )
    key = SecretField(
        label="The text of key.json",
        required=False,
        widget=SealedTextarea(attrs={**AS_TYPED, "rows": 6, "data-secret": "true"}),
    )
    other_project = forms.BooleanField(
        label="The key is of another project's service account",
        required=False,
        help_text="Which may read secrets of this project, because a role here was granted to it.",
    )

    def __init__(
        self, data: Any = None, files: Any = None, *, initial: dict[str, Any] | None = None, **more: Any
    ) -> None:
        filled = {"other_project": bool((initial or {}).get("key_project"))} | (initial or {})
        super().__init__(data, files, initial=filled, **more)
        self.fields["project"].required = False
        self.fields["project"].help_text += " Left empty, it is the key's."
        stored = more.get("stored")
        self._kept = _facts_of(stored.get("key", "")) if isinstance(stored, Mapping) else {}
        if self._kept:
            words = f"The key of {self._kept['email']} is stored. Choose a file only to replace it."
            self.fields["key_file"].help_text = words
        self._text = ""

    def prepare(self, situation: Situation) -> None:
        # The key says its project; the cluster's is more often another one.
        chooser: Any = self.fields["cloud_credential"]
        # Who may not see the organization's credentials keeps the one that is chosen, or none.
        only = None if situation.sees_credentials else str(self.initial.get("cloud_credential") or "")
        chooser.offer(situation.cluster.organization, "gcp", only)

    @classmethod
    def public_fields(cls) -> dict[str, forms.Field]:
        aside = ("key_file", "other_project")
        return {name: one for name, one in super().public_fields().items() if name not in aside}

    @classmethod
    def describe(cls, configuration: dict[str, str]) -> list[tuple[str, str]]:
        shown = [*super().describe(configuration), ("Service account", configuration.get("email", ""))]
        other = configuration.get("key_project", "")
        return shown + ([("Project of the key", other)] if other else [])

    def clean(self) -> dict[str, Any]:
        """Read the key, wherever it comes from, and compare its project with the one asked for."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        found = self._facts(cleaned)
        # Nothing that follows needs it as it came.
        cleaned.pop("key_file", None)
        cleaned["key"] = self._text
        if found and "project" in cleaned:
            cleaned["email"], cleaned["key_project"] = found.get("email", ""), found.get("project", "")
            cleaned["project"] = cleaned["project"] or cleaned["key_project"]
            self._compare(cleaned)
        if self.errors and self.files.get("key_file") and "key_file" not in self.errors:
            self.add_error("key_file", "Choose the file once more: it is not kept until all else is right.")
        return cleaned

    def _facts(self, cleaned: dict[str, Any]) -> dict[str, str]:
        """Return the key's facts, or an empty dict after an error was said."""
        pasted, upload = cleaned.get("key", ""), cleaned.get("key_file")
        chosen = cleaned.get("cloud_credential")
        if sum(map(bool, (pasted, upload, chosen))) > 1:
            self.add_error("key", "Give one key: a cloud credential, a file, or pasted text.")
            return {}
        if chosen is not None:
            return dict(chosen.facts)
        if pasted or upload:
            return self._read("key" if pasted else "key_file", pasted or _text_of(upload))
        if not self._kept and "key_file" not in self.errors:
            self.add_error("key_file", "Choose the key.json, or paste it.")
        return self._kept

    def _read(self, field: str, text: str) -> dict[str, str]:
        try:
            key = google.parse_key(text)
        except google.KeyRefused as refusal:
            self.add_error(field, str(refusal))
            return {}
        self._text = google.text_of(key)
        return google.facts(key)

    def _compare(self, cleaned: dict[str, Any]) -> None:
        project, other, email = cleaned["project"], cleaned["key_project"], cleaned["email"]
        if project != other and not cleaned.get("other_project"):
            self.add_error(
                "project",
                f"The key is of the project {other}, but the secrets are looked for in {project}. That is right if "
                f"{email} was granted a role in {project}: then tick the box below. Otherwise enter {other}.",
            )

    def configuration(self) -> dict[str, str]:
        """Return where the secrets are and whose key it is."""
        found = super().configuration() | {"email": self.cleaned_data["email"]}
        other = self.cleaned_data["key_project"]
        return found | ({"key_project": other} if other != found["project"] else {})


def _text_of(upload: Any) -> str:
    # One byte more than allowed is enough to refuse it.
    text: str = upload.read(google.LARGEST + 1).decode(errors="replace")
    return text


def _facts_of(text: str) -> dict[str, str]:
    try:
        return google.facts(google.parse_key(text))
    except google.KeyRefused:
        return {}
