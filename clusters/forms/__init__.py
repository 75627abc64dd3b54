"""The forms of clusters: connecting one, its settings, its deploys."""

from clusters.forms.connecting import ContextForm, KubeconfigForm, NameForm
from clusters.forms.deploys import DeployForm, HistoryFilter
from clusters.forms.settings import CloudForm, DisconnectForm, ReplaceForm

__all__ = [
    "CloudForm",
    "ContextForm",
    "DeployForm",
    "DisconnectForm",
    "HistoryFilter",
    "KubeconfigForm",
    "NameForm",
    "ReplaceForm",
]
