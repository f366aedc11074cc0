"""freed.py HOLDER WAITER GO: watch a slot change hands.

Makes the file GO, by which the process HOLDER is told to end, then prints two times (nanoseconds since 1970): when no
slot names HOLDER any more, and when one names the process WAITER. Asks the engine at DOCKER_HOST for the slots' configs
over one connection, again and again, as fast as it answers.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time

SLOTS = "/configs?filters=%7B%22name%22%3A%5B%22redfix-slot%22%5D%7D"


class Engine(http.client.HTTPConnection):
    """A connection to the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))


def main() -> int:
    holder, waiter = (f'"{pid}@'.encode() for pid in sys.argv[1:3])
    engine = Engine("engine", timeout=30)
    engine.connect()
    deadline = time.monotonic() + 120
    with open(sys.argv[3], "w"):
        pass
    freed = 0
    while time.monotonic() < deadline:
        asked = time.time_ns()
        engine.request("GET", SLOTS)
        slots = engine.getresponse().read()
        if not freed and holder not in slots:
            freed = asked
        if waiter in slots:
            print(freed, asked)
            return 0
        time.sleep(0.002)
    print("freed: the slot did not change hands within two minutes", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
