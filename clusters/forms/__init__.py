"""The forms of clusters: connecting one, its settings, its deploys."""

from clusters.forms.connecting import ContextForm, CredentialForm, KubeconfigForm, NameForm, WayForm
from clusters.forms.deploys import DeployForm, HistoryFilter
from clusters.forms.disconnecting import DisconnectForm, UninstallForm
from clusters.forms.settings import CloudForm, ReplaceForm, SignInForm

__all__ = [
    "CloudForm",
    "ContextForm",
    "CredentialForm",
    "DeployForm",
    "DisconnectForm",
    "HistoryFilter",
    "KubeconfigForm",
    "NameForm",
    "ReplaceForm",
    "SignInForm",
    "UninstallForm",
    "WayForm",
]
