#!/usr/bin/env python3
"""The recipe serves its page over HTTP."""

from __future__ import annotations

import sys
from http.client import HTTPConnection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "lib"))
import junit

HTTP_TIMEOUT = 10.0


def test_http_health(host: str, port: str) -> None:
    """GET / answers 200 with the address to join."""
    connection = HTTPConnection(host, int(port), timeout=HTTP_TIMEOUT)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.status == 200, f"GET / answered {response.status}"
    assert b"mumble://" in response.read(), "the page does not say how to join"


if __name__ == "__main__":
    sys.exit(junit.run("install/test_health.py", test_http_health))
