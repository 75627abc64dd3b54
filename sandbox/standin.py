"""A cloud's stand-in as a process of its own."""

import json
import subprocess
import sys
from typing import Any, ClassVar, Self


class StandIn:
    """Starts `python -m MODULE`, which prints a line of JSON when it is ready; use it as a context manager."""

    module: ClassVar[str]

    def __init__(self, port: int = 0, count: int = 1000) -> None:
        command = [sys.executable, "-m", self.module, "--port", str(port), "--count", str(count)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            errors = self._process.stderr.read() if self._process.stderr else ""
            raise RuntimeError(f"{self.module} did not start: {errors[-500:]}")
        said = json.loads(line)
        self.url: str = said["url"]
        self.hear(said)

    def hear(self, said: dict[str, Any]) -> None:
        """Take what else was printed: the keys."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
