"""The form of AWS automatic: how far the role that a deploy makes reaches."""

from typing import Any

from django import forms

from accesses.providers.aws.forms import RegionForm
from accesses.setup import policies
from credentials.clouds.aws import regions as aws_regions


class ChoiceField(forms.ChoiceField):
    """Radio cards, each with the line of consequence that helps to choose."""

    widget = forms.RadioSelect
    consequences: dict[str, str]


class Scope(ChoiceField):
    """Which secrets the role may read."""

    CHOICES = (
        (
            "linked",
            "The linked secrets",
            "Least privilege: each deploy allows what is linked, and nothing else.",
        ),
        (
            "prefixes",
            "Secrets whose names begin with …",
            "Prefixes that you list; new links need no new policy.",
        ),
        (
            "all",
            "All secrets of the account and region",
            "The widest: whoever may link, may read any secret.",
        ),
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[(slug, label) for slug, label, _ in self.CHOICES], **kwargs)
        self.consequences = {slug: words for slug, _, words in self.CHOICES}


class AutomaticForm(RegionForm):
    """The role that a deploy makes: where, and for which secrets."""

    HEADING = "What its role may read"
    FOLDED = {"Keys of your own in AWS KMS": ("kms_keys",)}
    ONLY = {"prefixes": "if-prefixes"}

    scope = Scope(label="Which secrets may the cluster read?", initial="linked")
    prefixes = forms.CharField(
        label="Prefixes",
        required=False,
        max_length=2000,
        help_text="One a line, for example prod/shop/.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    kms_keys = forms.CharField(
        label="KMS keys",
        required=False,
        max_length=4000,
        help_text="The ARNs of customer-managed keys that secrets are encrypted with, one a line. Secrets under the "
        "key that AWS manages need none.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )

    @property
    def _provider(self) -> str:
        return self.situation.provider if self.situation else policies.SECRETS_MANAGER

    @classmethod
    def describe(cls, configuration: dict[str, str]) -> list[tuple[str, str]]:
        # Told as a fact, not asked as a question.
        asked = str(cls.base_fields["scope"].label)
        return [
            ("May read" if label == asked else label, value)
            for label, value in super().describe(configuration)
        ]

    def clean_region(self) -> str:
        region, own = super().clean_region(), self.situation.cluster.region if self.situation else ""
        has, wants = aws_regions.partition_of(own), aws_regions.partition_of(region)
        if own and has != wants:
            raise forms.ValidationError(
                f"{region} is in the partition {wants}, but the cluster is in {has}. A role reaches the secrets of its "
                "own partition only; use an access key."
            )
        return region

    def clean_prefixes(self) -> str:
        if self.cleaned_data.get("scope") in ("linked", "all"):
            # They are out of sight then, and so would be what is wrong with them.
            return ""
        return "\n".join(policies.clean_prefixes(self._provider, self.cleaned_data["prefixes"].splitlines()))

    def clean_kms_keys(self) -> str:
        return "\n".join(
            policies.clean_kms_keys(
                self.cleaned_data["kms_keys"].splitlines(), self.cleaned_data.get("region", "")
            )
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("scope") == "prefixes" and cleaned.get("prefixes") == "":
            self.add_error("prefixes", "List at least one prefix, or choose another reach.")
        return cleaned
