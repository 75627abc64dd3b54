"""The forms of a cluster's settings: another kubeconfig, its cloud."""

from typing import Any

from django import forms
from django.db.models import Q, QuerySet

from clusters import finding
from clusters.forms.connecting import KubeconfigForm
from clusters.models import Cluster
from credentials.clouds.errors import ProviderError
from credentials.models import CloudCredential


class ReplaceForm(KubeconfigForm):
    """Another kubeconfig for a cluster that is connected."""

    context = forms.CharField(
        label="Context",
        required=False,
        help_text="Needed when the kubeconfig has several.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # It is one card of several, and nothing that people come for first.
        self.fields["kubeconfig"].widget.attrs.pop("autofocus")


class CloudForm(forms.Form):
    """Where a cluster runs, as far as it cannot be discovered, and what the console uses there."""

    credential = forms.ModelChoiceField(
        CloudCredential.objects.none(),
        label="Cloud credential",
        required=False,
        to_field_name="name",
        empty_label="None: deploys make no roles here",
        error_messages={"invalid_choice": "There is no such cloud credential for this cluster."},
    )
    account = forms.CharField(
        label="AWS account",
        required=False,
        max_length=20,
        help_text="12 digits. Left blank, it is the credential's. Roles have to be in this account.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "inputmode": "numeric"}),
    )

    def __init__(self, cluster: Cluster, data: Any = None, *, sees_credentials: bool = True) -> None:
        chosen = cluster.credential.name if cluster.credential else None
        super().__init__(data, initial={"credential": chosen, "account": cluster.account})
        self.cluster = cluster
        owned = CloudCredential.objects.owned_by(cluster.organization)
        clouds = [cluster.home] if cluster.home else CloudCredential.Cloud.values
        choice: Any = self.fields["credential"]
        # Who may not see the organization's credentials keeps the cluster's own, or none.
        seen = Q() if sees_credentials else Q(pk=cluster.credential_id)
        choice.queryset = owned.filter(seen, cloud__in=clouds)
        choice.label_from_instance = lambda one: f"{one.name} · {one.identity}"
        if cluster.signs_in == Cluster.SignsIn.CREDENTIAL:
            # It cannot be without; those of its cloud can take over.
            choice.queryset = choice.queryset.filter(cloud=cluster.home)
            choice.empty_label, choice.required = None, True
            del self.fields["account"]
            return
        # A project of Google or Scaleway and a subscription of Azure are discovered.
        if cluster.home not in ("", "aws"):
            del self.fields["account"]

    def clean_account(self) -> str:
        """Take an account as the AWS console shows it, `1234-5678-9012`, too."""
        typed: str = self.cleaned_data["account"]
        account = typed.replace("-", "").replace(" ", "")
        if typed in ("", self.cluster.account):
            return typed
        if not (account.isascii() and account.isdecimal()):
            raise forms.ValidationError("An AWS account id has digits only, like 123456789012.")
        if len(account) != 12:
            raise forms.ValidationError(
                f"The account id has {len(account)} digit{'s' if len(account) != 1 else ''}; AWS account ids have 12."
            )
        return account


class SignInForm(forms.Form):
    """The cloud credential by which a cluster is signed in to from now on, and where it finds the cluster."""

    credential = forms.ModelChoiceField(
        CloudCredential.objects.none(),
        label="Cloud credential",
        to_field_name="name",
        empty_label=None,
        error_messages={
            "required": "Choose a cloud credential.",
            "invalid_choice": "There is no such cloud credential that finds clusters.",
        },
    )
    place = forms.CharField(
        label="Where the cluster is",
        required=False,
        max_length=64,
        help_text="The region or location, as its cloud writes it, for example eu-west-3.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, cluster: Cluster, credentials: QuerySet[CloudCredential], data: Any = None) -> None:
        chosen = cluster.credential.name if cluster.credential else None
        # The page has another field of that name, on the card of the cloud.
        super().__init__(
            data, initial={"credential": chosen, "place": cluster.region}, auto_id="id_sign_in_%s"
        )
        choice: Any = self.fields["credential"]
        choice.queryset = credentials.filter(cloud=cluster.home) if cluster.home else credentials
        choice.label_from_instance = lambda one: f"{one.name} · {one.identity}"

    def clean(self) -> dict[str, Any]:
        """Hold the place against those that the credential's cloud has."""
        cleaned = super().clean() or {}
        credential, place = cleaned.get("credential"), cleaned.get("place", "")
        if credential is None or "place" in self.errors:
            return cleaned
        try:
            known = [slug for slug, _ in finding.places(credential)]
        except ProviderError as error:
            raise forms.ValidationError(f"{error.reason} {error.remedy}") from None
        if not known:
            cleaned["place"] = ""
        elif place not in known:
            said = f"There is no place {place} at its cloud." if place else "Say where the cluster is."
            self.add_error("place", f"{said} It is one of {', '.join(known[:4])} and others.")
        return cleaned
