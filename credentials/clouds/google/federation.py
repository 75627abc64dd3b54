"""Workload identity federation: Google trusts tokens of this console, and no key is stored."""

import re
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from credentials import issuer
from credentials.clouds import google
from credentials.clouds.base import Facts, Secret, Session
from credentials.clouds.google import form as google_form
from credentials.clouds.google import trust
from credentials.fields import SecretForm

_HOST = "//iam.googleapis.com/"
_PROVIDER = re.compile(
    r"projects/(?P<number>\d{1,20})/locations/global/workloadIdentityPools/(?P<pool>[a-z0-9-]{4,32})"
    r"/providers/(?P<provider>[a-z0-9-]{4,32})"
)
_PATTERN = "projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER"


def clean_provider(text: str) -> str:
    """Return a provider's resource name without the host that some pages of Google put in front.

    :raises ValidationError: it is something else, and what
    """
    name = text.strip().removeprefix("https:").removeprefix(_HOST).strip("/")
    if _PROVIDER.fullmatch(name):
        return name
    raise ValidationError(_what_is_wrong(name))


def _what_is_wrong(name: str) -> str:
    if "workforcePools" in name:
        return "This is a workforce pool, which lets people in. Give a provider of a workload identity pool."
    if re.fullmatch(r"projects/[^/]*[a-z][^/]*/locations/global/workloadIdentityPools/.+", name):
        return "Google wants the project's number here, not its ID: gcloud projects describe shows it."
    if re.fullmatch(r"projects/\d+/locations/global/workloadIdentityPools/[^/]+", name):
        return "This is a pool without a provider. Add /providers/ and the provider's ID."
    if re.match(r"projects/[^/]+/locations/(?!global/)", name):
        return "Workload identity pools are in the location global."
    return f"This is no workload identity provider. It looks like this: {_PATTERN}"


def _project(text: str) -> None:
    if not google.PROJECT.fullmatch(text):
        raise ValidationError(
            "This is no project ID: 6 to 30 lower-case letters, digits and hyphens, beginning with a letter."
        )


def _email(text: str) -> None:
    if not google.EMAIL.fullmatch(text):
        raise ValidationError("This is not the e-mail address of a service account.")


def _text(**more: Any) -> forms.CharField:
    attributes = {"autocomplete": "off", "spellcheck": "false"}
    return forms.CharField(widget=forms.TextInput(attrs=attributes), **more)


class FederationForm(SecretForm):
    """Who the console is at Google; nothing of it is secret."""

    project = _text(
        label="Project ID",
        max_length=130,
        validators=[_project],
        help_text="The project whose clusters and service accounts this credential is for.",
    )
    provider = _text(
        label="Workload identity provider",
        max_length=200,
        help_text=f"Its resource name: {_PATTERN}. The set-up script prints it.",
    )
    email = _text(
        label="Service account",
        max_length=255,
        required=False,
        validators=[_email],
        help_text="The e-mail address of the service account to act as. Left blank, Google's permissions are granted "
        "to the console's own subject.",
    )

    def clean_provider(self) -> str:
        return clean_provider(self.cleaned_data["provider"])


def condition(subject: str) -> str:
    """Return the attribute condition that lets one organization of this console in."""
    return f"assertion.sub=='{subject}'"


def provider_id(subject: str) -> str:
    """Return what the script calls the provider for one organization."""
    return subject[:25]


def principal(provider: str, subject: str) -> str:
    """Return what IAM calls this console's subject in a provider's pool."""
    pool = provider.partition("/providers/")[0]
    return f"principal:{_HOST}{pool}/subject/{subject}"


def sign_in(secret: Secret, facts: Facts) -> Session:
    """Return Google's credentials of the console's own token, of a service account if one is named."""
    audience, subject, email = f"{_HOST}{facts['provider']}", facts["subject"], facts.get("email", "")
    told = trust.of_console(facts["issuer"], subject, principal(facts["provider"], subject), email)
    # Google takes its provider's name with the scheme as an audience, which clouds expect of a URL.
    return google.by_token(partial(issuer.token, f"https:{audience}", subject), audience, email, told)


def identify(secret: Secret, given: Facts) -> Facts:
    """Exchange a token, act as the service account, and look at the project."""
    google_form.see_project(sign_in(secret, given), given["project"], given.get("email", ""))
    found = {name: given.get(name, "") for name in ("project", "provider", "email")}
    return found if found["email"] else found | {"principal": principal(given["provider"], given["subject"])}
