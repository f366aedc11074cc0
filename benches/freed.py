"""freed.py PID: print the time (nanoseconds since 1970) at which no slot names this process any more.

Asks the engine at DOCKER_HOST for the slots' configs over one connection, again and again, as fast as it answers.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time


class Engine(http.client.HTTPConnection):
    """A connection to the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))


def main() -> int:
    holder = f'"{sys.argv[1]}@'.encode()
    engine = Engine("engine", timeout=30)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        asked = time.time_ns()
        engine.request("GET", "/configs?filters=%7B%22name%22%3A%5B%22redfix-slot%22%5D%7D")
        if holder not in engine.getresponse().read():
            print(asked)
            return 0
        time.sleep(0.002)
    print("freed: the slot was not freed within two minutes", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
