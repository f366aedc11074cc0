#!/usr/bin/env python3
"""The chat server answers, and so does its database."""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "lib"))
import junit

HTTP_TIMEOUT = 10.0


def test_ping(host: str, port: str) -> None:
    """GET /api/v4/system/ping answers 200: server and database are well."""
    connection = HTTPConnection(host, int(port), timeout=HTTP_TIMEOUT)
    connection.request("GET", "/api/v4/system/ping")
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, f"ping answered {response.status}: {body.decode(errors='replace').strip()}"
    assert json.loads(body)["database_status"] == "OK", f"the database is not well: {body!r}"


if __name__ == "__main__":
    sys.exit(junit.run("install/test_chat.py", test_ping))
