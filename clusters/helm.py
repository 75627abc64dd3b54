"""Helm, behind two functions and one error, so that its library can be replaced."""

import json
import selectors
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from django.views.decorators.debug import sensitive_variables

from clusters import kubernetes
from clusters.kubernetes import errors
from config.paths import BASE_DIR


class HelmFailed(Exception):
    """Helm could not do it. `reason` is what it said, redacted; `remedy` what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        self.reason = errors.redact(reason)
        self.remedy = remedy
        super().__init__(self.reason)


@sensitive_variables()
def install_or_upgrade(
    kubeconfig: str,
    *,
    release: str,
    namespace: str,
    chart: str,
    version: str,
    values: dict[str, Any],
    timeout: int,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Install a chart, a folder or an OCI or HTTPS location, without waiting for its pods.

    A release of that name, such as one whose installation broke off, is upgraded. `alive` is called each second; when
    it raises, Helm is ended.

    :raises HelmFailed: the chart cannot be fetched, or the cluster refuses it
    :raises ClusterError: the cluster does not answer
    """
    forget_broken(kubeconfig, release, namespace)
    options = {
        "release_name": release, "chart_path": chart, "version": version, "values": values,
        "wait": False, "timeout": timeout,
    }  # fmt: skip
    _order("install", kubeconfig, namespace, options, alive)


@sensitive_variables()
def uninstall(kubeconfig: str, *, release: str, namespace: str, timeout: int) -> None:
    """Uninstall a release, if it is there; what its chart marks to be kept stays.

    :raises HelmFailed: the cluster refuses it
    """
    _order("uninstall", kubeconfig, namespace, {"release_name": release, "wait": False, "timeout": timeout})


def broken(door: kubernetes.Door, release: str, namespace: str) -> list[str]:
    """Return the names of the records of operations on a release that never ended; empty where they may not be listed.

    Only one deploy runs on a cluster, so nobody is at work on the release now.

    :raises ClusterError: the cluster does not answer
    """
    labels = (
        f"owner=helm,name={release},status in (pending-install,pending-upgrade,pending-rollback,uninstalling)"
    )
    try:
        return [item["metadata"]["name"] for item in door.list_all("v1", "Secret", namespace, labels)]
    except kubernetes.Forbidden:
        return []


@sensitive_variables()
def forget_broken(kubeconfig: str, release: str, namespace: str) -> None:
    """Remove those records; Helm refuses to go on while there is one.

    :raises ClusterError: the cluster does not answer
    """
    door = kubernetes.connect_text(kubeconfig, patience=5, budget=20)
    for name in broken(door, release, namespace):
        door.delete("v1", "Secret", name, namespace)


@sensitive_variables()
def _order(
    act: str,
    kubeconfig: str,
    namespace: str,
    options: dict[str, Any],
    alive: Callable[[], None] = lambda: None,
) -> None:
    timeout = options["timeout"]
    order = {"act": act, "kubeconfig": kubeconfig, "namespace": namespace, "options": options}
    process = subprocess.Popen(
        [sys.executable, "-m", "clusters.helm_process"],
        cwd=BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin  # noqa: S101  it is a pipe
    with process:
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
            answer = _answer(process, timeout, alive)
        finally:
            process.kill()
    if answer is None:
        raise HelmFailed("Helm ended without an answer.", "Deploy again; the worker may be short of memory.")
    if "error" in answer:
        raise HelmFailed(
            f"Helm says: {answer['error']}",
            "Check the chart's location and version, and what the cluster allows us.",
        )


def _answer(
    process: "subprocess.Popen[bytes]", timeout: int, alive: Callable[[], None]
) -> dict[str, str] | None:
    """Return Helm's answer, or None when it died; its stdin stays open as long as we live.

    :raises HelmFailed: it took longer than `timeout` seconds
    """
    assert process.stdout  # noqa: S101
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        until = time.monotonic() + timeout
        while not selector.select(1):
            alive()
            if time.monotonic() < until:
                continue
            raise HelmFailed(
                f"Helm did not finish within {timeout} s.",
                "Check that the console reaches the chart's location, and that the cluster answers.",
            )
    try:
        return dict(json.loads(process.stdout.read()))
    except ValueError:
        return None
