#!/usr/bin/env python3
"""The forge answers over HTTP."""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "lib"))
import junit

HTTP_TIMEOUT = 10.0


def test_healthz(host: str, port: str) -> None:
    """GET /api/healthz answers 200 and says that it passes."""
    connection = HTTPConnection(host, int(port), timeout=HTTP_TIMEOUT)
    connection.request("GET", "/api/healthz")
    response = connection.getresponse()
    assert response.status == 200, f"GET /api/healthz answered {response.status}"
    assert json.loads(response.read())["status"] == "pass", "the forge is not well"


if __name__ == "__main__":
    sys.exit(junit.run("install/test_forge.py", test_healthz))
