#!/usr/bin/env python3
"""Each of twenty pages comes from this stack."""

from __future__ import annotations

import http.client
import sys

import junit


def test_every_page_is_its_own(host: str, port: str, domain: str) -> None:
    connection = http.client.HTTPConnection(host, int(port), timeout=45)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.status == 200, f"status {answer.status}"
    strange = sorted({line for line in answer.read().decode().splitlines() if line != f"visits of {domain}"})
    assert not strange, f"strangers' pages: {strange}"


sys.exit(junit.run("custom/test_visits.py", test_every_page_is_its_own))
