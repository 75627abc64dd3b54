"""The forms of clusters: connect, choose a context, replace a kubeconfig, disconnect, deploy; the filter of deploys."""

import datetime
from typing import Any

from django import forms
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from accounts.naming import TypedNameForm, name_rule
from clusters import deploys, kubeconfig
from clusters.models import Cluster, Deploy
from credentials.fields import SealedTextarea, pasted_or_uploaded
from credentials.models import CloudCredential

NAME_HELP = "How it is called here, for example payments-prod."


class KubeconfigForm(forms.Form):
    """A kubeconfig, pasted or uploaded. Clean, it has `text`; the text itself is never rendered back."""

    kubeconfig = forms.CharField(
        label="Kubeconfig",
        error_messages={"required": "Paste a kubeconfig, or choose its file."},
        widget=SealedTextarea(
            attrs={"rows": 10, "spellcheck": "false", "autocomplete": "off", "autofocus": True}
        ),
        help_text="Paste what “kubectl config view --raw --flatten --minify” prints. It is stored encrypted and never shown again.",
    )
    file = forms.FileField(label="Or upload the file", required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["text"] = pasted_or_uploaded(self, "kubeconfig", kubeconfig.LARGEST)
        return cleaned


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


class ContextForm(forms.Form):
    """Which of several contexts to connect."""

    context = forms.ChoiceField(label="Context", widget=forms.RadioSelect)

    def __init__(self, data: Any, contexts: list[str]) -> None:
        super().__init__(data)
        self.fields["context"].choices = [(name, name) for name in contexts]  # type: ignore[attr-defined]


class NameForm(forms.Form):
    """The name of a cluster that is about to be connected."""

    name = forms.CharField(
        label="Name",
        max_length=40,
        validators=[name_rule],
        help_text=NAME_HELP,
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off", "autofocus": True}),
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name == "connect":
            raise forms.ValidationError("The name connect is taken by a page; choose another.")
        return name


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


def _plain(text: str) -> str:
    """Return text that a database column takes."""
    return text.replace("\x00", "").encode(errors="replace").decode()


class DeployForm(forms.Form):
    """A deploy: why, whose fields to take, and perhaps a maintenance window."""

    WINDOWS = ((30, "30 minutes"), (60, "1 hour"), (120, "2 hours"), (240, "4 hours"), (480, "8 hours"))

    reason = forms.CharField(
        required=False, max_length=200, help_text="For the history: why, or a ticket.", label="Reason"
    )
    not_before = forms.DateTimeField(
        label="Begin at (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        error_messages={"invalid": "Give a date and a time, for example 2026-11-21T22:00."},
    )
    window = forms.TypedChoiceField(
        label="Within",
        required=False,
        choices=WINDOWS,
        coerce=int,
        empty_value="60",
        initial=60,
        help_text="The window. When no worker was free in it, the deploy does not begin.",
    )

    @property
    def later(self) -> bool:
        return "later" in self.data

    @property
    def overwrite(self) -> list[str]:
        """The objects that were ticked; a name of what is not there does nothing."""
        chosen = self.data.getlist("overwrite") if hasattr(self.data, "getlist") else []
        return sorted({_plain(words)[:2000] for words in chosen})[:500]

    def clean_not_before(self) -> datetime.datetime | None:
        at: datetime.datetime | None = self.cleaned_data["not_before"]
        if self.later and at is None:
            raise forms.ValidationError("Say when it should begin.")
        if at is not None and at > timezone.now() + datetime.timedelta(days=90):
            raise forms.ValidationError("That is more than 90 days away.")
        return at

    def ask(self, cluster: Cluster, by: User) -> Deploy:
        """Ask for the deploy.

        :raises deploys.CannotBe: now it makes no sense
        """
        values = self.cleaned_data
        if not self.later:
            return deploys.request(cluster=cluster, by=by, reason=values["reason"], overwrite=self.overwrite)
        window = datetime.timedelta(minutes=int(values["window"]))
        return deploys.schedule(
            cluster=cluster,
            by=by,
            not_before=values["not_before"],
            window=window,
            reason=values["reason"],
            overwrite=self.overwrite,
        )


class HistoryFilter(forms.Form):
    """What the list of deploys is filtered by; all of it is in the URL."""

    q = forms.CharField(required=False, max_length=200)
    status = forms.ChoiceField(required=False, choices=Deploy.Status.choices)
    cluster = forms.ModelChoiceField(Cluster.objects.none(), required=False, to_field_name="name")
    since = forms.DateField(required=False)

    def __init__(self, data: Any, clusters: Any) -> None:
        super().__init__(data)
        self.fields["cluster"].queryset = clusters  # type: ignore[attr-defined]

    @property
    def days(self) -> list[tuple[str, str]]:
        """Begin dates that people ask for, as (what the form sends, what a person reads)."""
        today = timezone.now().date()
        spans = ((1, "Since yesterday"), (7, "Last 7 days"), (30, "Last 30 days"), (90, "Last 90 days"))
        return [((today - datetime.timedelta(days=count)).isoformat(), words) for count, words in spans]
