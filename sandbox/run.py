"""`make run`: the console and a worker, on DATABASE_URL and REDIS_URL or on embedded engines kept in .dev/."""

import os
import sys
from pathlib import Path

from sandbox import console, engines
from sandbox.processes import Died, Processes


def main() -> int:
    folder = Path(".dev").resolve()
    engines.end_on_signals()
    try:
        port = console.free_port(int(os.environ.get("PORT", "8000")))
        with engines.running(folder) as found:
            environment = console.kept_keys(folder) | found
            environment |= {"BASE_URL": os.environ.get("BASE_URL", f"http://localhost:{port}")}
            console.manage(environment, ("migrate", "-v", "0"), ("collectstatic", "--no-input", "-v", "0"))
            with Processes(folder / "logs", environment) as processes:
                console.start_worker(processes)
                console.start_console(processes, port)
                console.wait_until_healthy(processes, port)
                print(
                    f"Keyhaven is at {environment['BASE_URL']}. Logs: {folder / 'logs'}. Ctrl-C ends it.",
                    flush=True,
                )
                processes.watch()
    except KeyboardInterrupt:
        return 0
    except (console.PortTaken, console.CommandFailed, Died, TimeoutError) as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
