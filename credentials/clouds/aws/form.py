"""The access key of an IAM user, and whose it is."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.views.decorators.debug import sensitive_variables

from credentials.clouds import aws
from credentials.clouds.aws import keyring
from credentials.clouds.aws.regions import PARTITIONS
from credentials.clouds.base import Facts, Secret
from credentials.fields import SecretField, SecretForm

key_id_rule = RegexValidator(
    r"^[A-Z0-9]{16,128}\Z", "An access key ID has at least 16 capital letters and digits, like AKIA…."
)
# What cannot stand in a header would be quoted by the HTTP library when it refuses it.
header_rule = RegexValidator(
    r"^[\x21-\x7e]+\Z", "There are spaces or other characters in it that no key has."
)


def check_parts(form: forms.Form, cleaned: dict[str, Any]) -> None:
    """Keep one key's parts together: another ID brings its own secret, and a temporary one its token."""
    key_id = cleaned.get("access_key_id", "")
    if key_id and "secret_access_key" in cleaned and not cleaned["secret_access_key"]:
        form.add_error("secret_access_key", "Another access key ID has its own secret access key.")
    if key_id.startswith("ASIA") and "session_token" in cleaned and not cleaned["session_token"]:
        form.add_error("session_token", "A key that begins with ASIA is temporary and has a session token.")


class KeysForm(SecretForm):
    """An access key of an IAM user."""

    partition = forms.ChoiceField(
        label="Partition",
        choices=[(slug, label) for slug, (label, _) in PARTITIONS.items()],
        initial="aws",
        help_text="Keys are good for their own partition only.",
    )
    access_key_id = SecretField(label="Access key ID", max_length=128, validators=[key_id_rule])
    secret_access_key = SecretField(label="Secret access key", max_length=256, validators=[header_rule])
    session_token = SecretField(
        label="Session token",
        max_length=4096,
        required=False,
        validators=[header_rule],
        help_text="Only for temporary keys. They end within hours, and what uses this credential ends with them.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        check_parts(self, cleaned)
        return cleaned

    def secret(self, kept: dict[str, str]) -> dict[str, str]:
        # A token of the key before would make AWS refuse the new one.
        return super().secret({} if self.cleaned_data.get("access_key_id") else kept)


@sensitive_variables()
def identify(secret: Secret, given: Facts) -> Facts:
    partition = given.get("partition", "aws")
    keys = aws.Keys.of(secret)
    caller = aws.caller(keys, PARTITIONS[partition][1])
    facts = {
        "partition": partition,
        "arn": caller.arn,
        "account": caller.account,
        "key_id": keys.access_key_id,
    }
    # What was once learned of this very key stays true, also where AWS does not tell it any more.
    known = given.get("made", "") if given.get("key_id") == keys.access_key_id else ""
    made = keyring.made_at(keys, facts) or known
    return facts | ({"made": made} if made else {})
