"""Helm, behind one function and one error, so that its library can be replaced."""

import asyncio
import json
from typing import Any

from clusters.kubernetes import errors


class HelmFailed(Exception):
    """Helm could not do it. `reason` is what it said, redacted; `remedy` what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        self.reason = errors.redact(reason)
        self.remedy = remedy
        super().__init__(self.reason)


def install_or_upgrade(
    kubeconfig: str,
    *,
    release: str,
    namespace: str,
    chart: str,
    version: str,
    values: dict[str, Any],
    timeout: int,
) -> None:
    """Install a chart, a folder or an OCI or HTTPS location, without waiting for its pods.

    A release of that name, such as one whose installation broke off, is upgraded.

    :raises HelmFailed: the chart cannot be fetched, or the cluster refuses it
    """
    options = {
        "release_name": release, "chart_path": chart, "version": version, "values": values,
        "wait": False, "timeout": timeout,
    }  # fmt: skip
    try:
        asyncio.run(_install(kubeconfig, namespace, options))
    except TimeoutError:
        raise HelmFailed(
            f"Helm did not finish within {timeout} s.", "Check that the console reaches the chart's location."
        ) from None
    except Exception as error:
        if not type(error).__module__.startswith("helm_sdkpy"):
            raise
        raise HelmFailed(
            f"Helm says: {_message(error)}",
            "Check the chart's location and version, and what the cluster allows us.",
        ) from None


async def _install(kubeconfig: str, namespace: str, options: dict[str, Any]) -> None:
    import helm_sdkpy

    configuration = helm_sdkpy.Configuration(namespace=namespace, kubeconfig=kubeconfig)
    async with asyncio.timeout(options["timeout"]):
        try:
            await helm_sdkpy.Install(configuration).run(create_namespace=True, **options)
        except helm_sdkpy.InstallError as error:
            if "cannot re-use a name" not in str(error) and "cannot reuse a name" not in str(error):
                raise
            await helm_sdkpy.Upgrade(configuration).run(**options)


def _message(error: Exception) -> str:
    text = str(error)
    try:
        return str(json.loads(text).get("error", text))
    except (ValueError, AttributeError):
        return text
