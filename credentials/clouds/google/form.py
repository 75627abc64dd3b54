"""The key.json of a service account, and whose it is."""

from typing import Any

from django import forms
from django.views.decorators.debug import sensitive_variables

from credentials.clouds import errors, google
from credentials.clouds.base import Facts, Secret, Session
from credentials.clouds.google import keyring
from credentials.fields import SealedTextarea, SecretField, SecretForm, pasted_or_uploaded


class KeyForm(SecretForm):
    """A service account's key.json, pasted or uploaded; of what is in it only what is needed is kept."""

    key = SecretField(
        label="key.json",
        widget=SealedTextarea(
            attrs={"rows": 8, "autocomplete": "off", "spellcheck": "false", "data-secret": "true"}
        ),
        help_text="The whole file, as Google made it. It is stored encrypted and never shown again.",
    )
    file = forms.FileField(
        label="Or upload the file",
        required=False,
        widget=forms.FileInput(attrs={"accept": ".json,application/json"}),
        error_messages={"empty": "The file is empty."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].error_messages["required"] = "Paste a key.json, or choose its file."

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        text = pasted_or_uploaded(self, "key", google.LARGEST)
        if text:
            try:
                cleaned["key"] = google.text_of(google.parse_key(text))
            except google.KeyRefused as error:
                self.add_error("key", str(error))
        return cleaned


@sensitive_variables()
def identify(secret: Secret, given: Facts) -> Facts:
    try:
        key = google.parse_key(secret.get("key", ""))
    except google.KeyRefused as error:
        raise errors.CredentialRefused(str(error)) from None
    found = google.facts(key)
    session = google.by_key(key)
    see_project(session, found["project"], found["email"])
    return found | keyring.times(session, found)


def see_project(session: Session, project: str, email: str) -> None:
    """Sign in and look at the project, which a service account of that project need not be allowed to.

    :raises ProviderError: Google refuses, or does not answer
    """
    permission = "resourcemanager.projects.get"
    try:
        google.Api(session).call("GET", "cloudresourcemanager", f"v1/projects/{project}", permission)
    except errors.PermissionMissing:
        # One that is denied has signed in; its address tells its project, where that is not merely said.
        if not email.endswith(f"@{project}.iam.gserviceaccount.com"):
            raise


@sensitive_variables()
def sign_in(secret: Secret, facts: Facts) -> Session:
    """Return Google's credentials of a stored key.json.

    :raises CredentialRefused: it is no key
    """
    try:
        return google.by_key(google.parse_key(secret.get("key", "")))
    except google.KeyRefused as error:
        raise errors.CredentialRefused(str(error)) from None
