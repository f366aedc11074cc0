#!/usr/bin/env python3
"""The forum serves its page, and says which version it is."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "lib")]
import junit
from forum import Forum


def test_page_of_this_version(host: str, port: str, version: str) -> None:
    """GET / answers 200 with topics and this version; what the page links to is there."""
    forum = Forum(host, port)
    status, body = forum.ask("GET", "/")
    page = body.decode()
    assert status == 200, f"GET / answered {status}"
    assert f'content="Discourse {version}"' in page, "the page is of another version"
    assert 'href="/t/' in page, "the page has no topics"
    style = page.split('rel="stylesheet"')[1].split('href="')[1].split('"')[0]
    assert forum.ask("GET", style)[0] == 200, f"GET {style} did not answer 200"


if __name__ == "__main__":
    sys.exit(junit.run("install/test_page.py", test_page_of_this_version))
