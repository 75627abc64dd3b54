"""The forms of a cluster's settings: another kubeconfig, its cloud, disconnecting it."""

from typing import Any

from django import forms
from django.db.models import Q

from accounts.naming import TypedNameForm
from clusters.forms.connecting import KubeconfigForm
from clusters.models import Cluster
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
        clouds = [cluster.cloud] if cluster.cloud else CloudCredential.Cloud.values
        choice: Any = self.fields["credential"]
        # Who may not see the organization's credentials keeps the cluster's own, or none.
        seen = Q() if sees_credentials else Q(pk=cluster.credential_id)
        choice.queryset = owned.filter(seen, cloud__in=clouds)
        choice.label_from_instance = lambda one: f"{one.name} · {one.identity}"
        # A Google project is discovered.
        if cluster.cloud == "gcp":
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


class DisconnectForm(TypedNameForm):
    noun, act = "cluster", "disconnect"
