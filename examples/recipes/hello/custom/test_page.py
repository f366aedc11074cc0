#!/usr/bin/env python3
"""The page is there, and says which release it is of."""

from __future__ import annotations

import http.client
import sys

import junit


def test_page_says_its_release(host: str, port: str, release: str) -> None:
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.request("GET", "/")
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 200, f"status {answer.status}"
    assert f"release {release}" in text, text.strip()


sys.exit(junit.run("custom/test_page.py", test_page_says_its_release))
