"""An API key of Scaleway, and whose it is."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.views.decorators.debug import sensitive_variables

from credentials.clouds import errors
from credentials.clouds.base import Facts, Secret
from credentials.clouds.scaleway import asking, policies, regions
from credentials.fields import SecretField, SecretForm

access_key_rule = RegexValidator(
    rf"^{asking.ACCESS_KEY.pattern}\Z", "An access key is SCW with 17 capital letters and digits after it."
)
uuid_rule = RegexValidator(
    rf"^{asking.UUID.pattern}\Z",
    "It has 36 characters like 11111111-2222-3333-4444-555555555555, without capital letters.",
)


class KeyForm(SecretForm):
    """An API key, and the project whose clusters it is for."""

    access_key = SecretField(label="Access key", max_length=20, validators=[access_key_rule])
    secret_key = SecretField(
        label="Secret key",
        max_length=36,
        validators=[uuid_rule],
        help_text="Scaleway shows it once, when the key is made.",
    )
    project = forms.CharField(
        label="Project ID",
        max_length=36,
        validators=[uuid_rule],
        help_text="Of the project that has the clusters: Project dashboard, Settings.",
    )
    organization = forms.CharField(
        label="Organization ID",
        max_length=36,
        validators=[uuid_rule],
        help_text="In the console under Organization, Settings.",
    )
    region = forms.ChoiceField(
        label="Region",
        choices=list(regions.REGIONS.items()),
        help_text="Where clusters are looked for first.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("access_key") and "secret_key" in cleaned and not cleaned["secret_key"]:
            self.add_error("secret_key", "Another access key has its own secret key.")
        return cleaned


@sensitive_variables()
def identify(secret: Secret, given: Facts) -> Facts:
    """Return whose key it is, when it was made and when it ends; the last three only where it may read IAM."""
    identity = asking.Identity.of(secret)
    kept = {name: given[name] for name in ("project", "organization", "region") if given.get(name)}
    facts = kept | {"key_id": identity.access_key}
    try:
        said = asking.ask(identity, "GET", f"/iam/v1alpha1/api-keys/{identity.access_key}", policies.IAM)
    except errors.PermissionMissing:
        # It signs in; what it is for has to be possible, at least.
        path = f"/k8s/v1/regions/{regions.of(facts)}/clusters"
        asking.ask(identity, "GET", path, policies.READ, project_id=facts.get("project", ""), page_size=1)
        return facts
    except errors.NotThere:
        raise errors.CredentialRefused(
            "Scaleway has no such access key.", "Enter the access key that belongs to the secret key."
        ) from None
    return facts | told(said)


def told(said: dict[str, Any]) -> Facts:
    """Return what IAM tells of a key, as facts."""
    names = {
        "application": "application_id", "user": "user_id", "description": "description",
        "made": "created_at", "expires": "expires_at",
    }  # fmt: skip
    return {fact: str(said[name])[:200] for fact, name in names.items() if said.get(name)}
