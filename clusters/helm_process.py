"""The process in which Helm runs: one order as JSON on stdin, one answer as JSON on stdout.

Helm's library blocks a thread of its own that nothing can interrupt, so it gets a process that can be killed. It ends
by itself when the worker that started it is gone: two Helms on one release would spoil it.
"""

import asyncio
import json
import os
import sys
import threading
from typing import Any


def _end_with_the_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


async def _install(sdk: Any, configuration: Any, options: dict[str, Any]) -> None:
    try:
        await sdk.Install(configuration).run(create_namespace=True, **options)
    except sdk.InstallError as error:
        if "cannot re-use a name" not in str(error) and "cannot reuse a name" not in str(error):
            raise
        await sdk.Upgrade(configuration).run(**options)


async def _uninstall(sdk: Any, configuration: Any, options: dict[str, Any]) -> None:
    try:
        await sdk.Uninstall(configuration).run(**options)
    except sdk.HelmError as error:
        if "not found" not in str(error):
            raise


def _message(error: Exception) -> str:
    text = str(error)
    try:
        return str(json.loads(text).get("error", text))
    except (ValueError, AttributeError):
        return text


def main() -> None:
    order = json.loads(sys.stdin.buffer.readline())
    # Helm prints as it likes; the answer alone goes to the pipe.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    import helm_sdkpy as sdk

    acts = {"install": _install, "uninstall": _uninstall}
    try:
        configuration = sdk.Configuration(namespace=order["namespace"], kubeconfig=order["kubeconfig"])
        asyncio.run(acts[order["act"]](sdk, configuration, order["options"]))
        answer = {}
    except sdk.HelmError as error:
        answer = {"error": _message(error)}
    answers.write(json.dumps(answer))
    answers.close()
    os._exit(0)


if __name__ == "__main__":
    main()
