#!/usr/bin/env python3
"""The paste that was backed up is there again."""

from __future__ import annotations

import http.client
import sys

import junit


def test_the_paste_is_back(host: str, port: str) -> None:
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.request("GET", "/pastes/milk")
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 200, f"status {answer.status}"
    assert text == "remember the milk\n", text


sys.exit(junit.run("restore/test_pastes.py", test_the_paste_is_back))
