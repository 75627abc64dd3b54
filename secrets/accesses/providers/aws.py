"""What the AWS providers share: forms, methods, regions."""

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.validators import RegexValidator

from accesses.providers.base import ConfigurationForm, SecretField, SuggestingInput

if TYPE_CHECKING:
    from accesses.models import Access

# A shape, not a list: partitions differ (us-gov-east-1, eusc-de-east-1), and new regions come every year.
REGION = re.compile(r"[a-z]{2,5}(?:-[a-z]{2,12}){1,2}-\d")
# What the form suggests.
REGIONS = (
    "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1",
    "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
    "ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1",
    "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2",
    "eu-west-3", "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1",
    "us-east-2", "us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2",
)  # fmt: skip


def clean_region(value: str) -> str:
    """Return an AWS region, or refuse what cannot be one."""
    region = value.strip().lower()
    if not REGION.fullmatch(region):
        raise forms.ValidationError(f"{value} is not an AWS region; they look like eu-west-3.")
    return region


_key_id_rule = RegexValidator(
    r"^[A-Z0-9]{16,128}\Z", "An access key ID has at least 16 capital letters and digits, like AKIA…."
)
# What cannot stand in a header would be quoted by the HTTP library when it refuses it.
_header_rule = RegexValidator(
    r"^[\x21-\x7e]+\Z", "There are spaces or other characters in it that no key has."
)


class StaticForm(ConfigurationForm):
    """An access key of an IAM user."""

    region = forms.CharField(
        label="Region",
        max_length=30,
        help_text="Where the secrets live, for example eu-west-3.",
        widget=SuggestingInput(REGIONS),
    )
    access_key_id = SecretField(label="Access key ID", max_length=128, validators=[_key_id_rule])
    secret_access_key = SecretField(label="Secret access key", max_length=256, validators=[_header_rule])
    session_token = SecretField(
        label="Session token",
        max_length=4096,
        required=False,
        validators=[_header_rule],
        help_text="Only for temporary keys. They end within hours, and syncing ends with them.",
    )

    def clean_region(self) -> str:
        return clean_region(self.cleaned_data["region"])

    def clean(self) -> dict[str, Any]:
        """Keep one key's parts together: another ID brings its own secret, and a temporary one its token."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        key_id = cleaned.get("access_key_id", "")
        if key_id and "secret_access_key" in cleaned and not cleaned["secret_access_key"]:
            self.add_error("secret_access_key", "Another access key ID has its own secret access key.")
        if key_id.startswith("ASIA") and not cleaned.get("session_token"):
            self.add_error(
                "session_token", "A key that begins with ASIA is temporary and has a session token."
            )
        return cleaned

    def credential(self, kept: dict[str, str] | None) -> dict[str, str]:
        # A token of the key before would make AWS refuse the new one.
        return super().credential(None if self.cleaned_data.get("access_key_id") else kept)


def secret_ref(access: "Access", namespace: str) -> dict[str, Any]:
    """Return the store's `auth.secretRef`, which names our Secret's keys."""
    names = {"accessKeyIDSecretRef": "access_key_id", "secretAccessKeySecretRef": "secret_access_key"}
    if (access.credential or {}).get("session_token"):
        names["sessionTokenSecretRef"] = "session_token"
    return {
        field: {"name": access.store_name, "namespace": namespace, "key": key.replace("_", "-")}
        for field, key in names.items()
    }


def secret_data(access: "Access") -> dict[str, str]:
    """Return the data of the Secret that `secret_ref` names."""
    return {key.replace("_", "-"): value for key, value in (access.credential or {}).items() if value}
