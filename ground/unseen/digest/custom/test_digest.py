#!/usr/bin/env python3
"""The digest is there soon after the server answers."""

from __future__ import annotations

import http.client
import sys
import time

import junit

PATIENCE = 4.0


def test_the_digest_is_there(host: str, port: str) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        connection.request("GET", "/digest")
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status == 200 or time.monotonic() > until:
            break
        time.sleep(0.1)
    assert answer.status == 200, f"status {answer.status} after {PATIENCE} s"
    assert text.startswith("digest "), text


sys.exit(junit.run("custom/test_digest.py", test_the_digest_is_there))
