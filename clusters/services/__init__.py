"""Connecting clusters, testing them, signing in to them, discovering their services: one module for each."""

from clusters.services.changing import changed
from clusters.services.checking import check, failed, refresh_services
from clusters.services.cloud import follow, use_credential, users_of
from clusters.services.connecting import connect, is_free
from clusters.services.disconnecting import disconnect
from clusters.services.looking import Trial, look_around, try_connection
from clusters.services.refusals import (
    AccountInUse,
    AlreadyConnected,
    AnotherCluster,
    Busy,
    Changed,
    NameTaken,
    StillNeeded,
    WrongAccount,
)
from clusters.services.signing_in import replace_kubeconfig, sign_in_by_credential

__all__ = [
    "AccountInUse",
    "AlreadyConnected",
    "AnotherCluster",
    "Busy",
    "Changed",
    "NameTaken",
    "StillNeeded",
    "Trial",
    "WrongAccount",
    "changed",
    "check",
    "connect",
    "disconnect",
    "failed",
    "follow",
    "is_free",
    "look_around",
    "refresh_services",
    "replace_kubeconfig",
    "sign_in_by_credential",
    "try_connection",
    "use_credential",
    "users_of",
]
