"""The forms of the AWS methods; each holds for Secrets Manager and for Parameter Store."""

import re
from typing import Any

from django import forms

from accesses.providers.base import ConfigurationForm, SecretField, Situation
from credentials.chooser import CloudCredentialField
from credentials.clouds.aws import form as aws_form
from credentials.clouds.aws import regions as aws_regions
from credentials.clouds.aws.form import header_rule, key_id_rule
from credentials.fields import SuggestingInput

ROLE = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>\d+):role/(?P<name>[\w+=,.@/-]{1,512})", re.ASCII
)


def _suggested() -> dict[str, str]:
    return aws_regions.served("secretsmanager")


def clean_region(value: str, service: str = "secretsmanager") -> str:
    """Return an AWS region where a service is, or say why it is none."""
    region = value.strip().lower()
    if not aws_regions.SHAPE.fullmatch(region):
        raise forms.ValidationError(f"{value} is not an AWS region; they look like eu-west-3.")
    if region not in aws_regions.served(service):
        raise forms.ValidationError(
            f"AWS serves no secrets in {region}, as far as this console knows. Choose a region of the list; "
            "if AWS opened it lately, an administrator adds it to EXTRA_REGIONS."
        )
    return region


class RegionForm(ConfigurationForm):
    """Where the secrets live."""

    region = forms.CharField(
        label="Region",
        max_length=30,
        help_text="Where the secrets live: a code or a city, for example eu-west-3 or Paris.",
        widget=SuggestingInput(_suggested),
    )

    def prepare(self, situation: Situation) -> None:
        if situation.cluster.cloud == "aws":
            self.initial.setdefault("region", situation.cluster.region)

    def clean_region(self) -> str:
        typed: str = self.cleaned_data["region"]
        # A city that only one region has is as good as its code.
        named = [code for code, name in _suggested().items() if typed.strip().lower() in name.lower()]
        return clean_region(named[0] if len(named) == 1 else typed)


class StaticForm(RegionForm):
    """An access key of an IAM user: typed here, or one of the organization's cloud credentials."""

    FOLDED = {"Temporary keys, with a session token": ("session_token", "expires_at")}
    ONLY = dict.fromkeys(("access_key_id", "secret_access_key", "session_token", "expires_at"), "if-typed")
    ONE_OF = ("cloud_credential",)

    cloud_credential = CloudCredentialField("Keys", "Typed below, for this access alone")
    access_key_id = SecretField(label="Access key ID", max_length=128, validators=[key_id_rule])
    secret_access_key = SecretField(label="Secret access key", max_length=256, validators=[header_rule])
    session_token = SecretField(
        label="Session token",
        max_length=4096,
        required=False,
        validators=[header_rule],
        help_text="Only for temporary keys. They end within hours, and syncing ends with them.",
    )
    expires_at = forms.DateTimeField(
        label="Session token ends at (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help_text="AWS tells it when it gives the token, and never again. The access's page counts down to it.",
        error_messages={"invalid": "Give a date and a time, for example 2026-11-21T22:00."},
    )

    def prepare(self, situation: Situation) -> None:
        super().prepare(situation)
        chooser: Any = self.fields["cloud_credential"]
        # Who may not see the organization's credentials keeps the one that is chosen, or none.
        only = None if situation.sees_credentials else str(self.initial.get("cloud_credential") or "")
        chooser.offer(situation.cluster.organization, "aws", only)
        if self.data.get("cloud_credential"):
            for name in self.secret_names():
                self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self._ends(cleaned):
            cleaned["expires_at"] = None
        if cleaned.get("cloud_credential") is None:
            aws_form.check_parts(self, cleaned)
        elif any(cleaned.get(name) for name in self.secret_names()):
            self.add_error("cloud_credential", "Choose a cloud credential or type keys, not both.")
        return cleaned

    def _ends(self, cleaned: dict[str, Any]) -> bool:
        """Tell whether there will be a session token; without one, an end that was said before is of keys that are gone."""
        if cleaned.get("cloud_credential") is not None:
            return False
        kept = "session_token" in self.stored and not cleaned.get("access_key_id")
        return kept or bool(cleaned.get("session_token")) or "session_token" in self.errors

    def credential(self, kept: dict[str, str] | None) -> dict[str, str]:
        # A token of the key before would make AWS refuse the new one.
        return super().credential(None if self.cleaned_data.get("access_key_id") else kept)


class FederationForm(RegionForm):
    """A role that trusts the cluster's issuer."""

    role_arn = forms.CharField(
        label="Role ARN",
        max_length=600,
        help_text="The RoleARN of the stack's Outputs, like arn:aws:iam::123456789012:role/keyhaven-secrets.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_role_arn(self) -> str:
        arn: str = self.cleaned_data["role_arn"].strip()
        check_role(arn)
        return arn

    def clean(self) -> dict[str, Any]:
        """Compare the role's partition with the region's: AWS China and GovCloud are worlds of their own."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        arn, region = cleaned.get("role_arn"), cleaned.get("region")
        if arn and region:
            has, wants = arn.split(":")[1], aws_regions.partition_of(region)
            if has != wants:
                self.add_error(
                    "role_arn", f"The role is in the partition {has}, but {region} is in {wants}. "
                    "A role is good for its own partition only.",
                )  # fmt: skip
        return cleaned


def check_role(arn: str) -> None:
    """Refuse what is not the ARN of a role, and say what it is instead."""
    found = ROLE.fullmatch(arn)
    if found is None:
        raise forms.ValidationError(_what_it_is(arn))
    if len(found["account"]) != 12:
        raise forms.ValidationError(
            f"The account in it has {len(found['account'])} digits; AWS accounts have 12."
        )


def _what_it_is(text: str) -> str:
    """Say what somebody pasted instead of a role's ARN."""
    parts = text.split(":")
    if len(parts) == 6 and parts[0] == "arn" and parts[2] == "cloudformation":
        return "This is the ARN of the stack; the role's is in its Outputs, beside RoleARN."
    if len(parts) == 6 and parts[0] == "arn" and parts[2] in ("iam", "sts"):
        kind = parts[5].partition("/")[0]
        return f"This is the ARN of a {kind}; a role's has role/ after the account."
    return "This is not the ARN of a role; one looks like arn:aws:iam::123456789012:role/keyhaven-secrets."


class RoleForm(FederationForm):
    """A role of the cluster's own AWS account."""

    def clean_role_arn(self) -> str:
        arn = super().clean_role_arn()
        account, own = arn.split(":")[4], self.situation.cluster.account if self.situation else ""
        if own and account != own:
            raise forms.ValidationError(
                f"The role is in the account {account}, but the cluster is in {own}. "
                "Create the role in the cluster's own account."
            )
        return arn


class AmbientForm(RegionForm):
    """Whatever identity the operator's own pods have."""
