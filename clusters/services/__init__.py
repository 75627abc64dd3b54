"""Connecting clusters, testing them, signing in to them, discovering their services: one module for each."""

from clusters.services.changing import changed
from clusters.services.checking import check, failed, refresh_services
from clusters.services.cloud import follow, use_credential
from clusters.services.connecting import connect
from clusters.services.disconnecting import disconnect
from clusters.services.looking import Trial, look_around, try_connection
from clusters.services.refusals import AccountInUse, Busy, Changed, NameTaken, WrongAccount
from clusters.services.signing_in import replace_kubeconfig

__all__ = [
    "AccountInUse",
    "Busy",
    "Changed",
    "NameTaken",
    "Trial",
    "WrongAccount",
    "changed",
    "check",
    "connect",
    "disconnect",
    "failed",
    "follow",
    "look_around",
    "refresh_services",
    "replace_kubeconfig",
    "try_connection",
    "use_credential",
]
