#!/usr/bin/env python3
"""What was deleted after the backup is there again."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "lib")]
import junit
from forum import Forum


def test_restore_returns_state(host: str, port: str, number: str, title: str) -> None:
    """The topic is there, and the search finds it."""
    forum = Forum(host, port)
    assert forum.topic(int(number))["title"] == title, f"topic {number} is another one"
    assert int(number) in forum.find(title), f"the search does not find topic {number}"


if __name__ == "__main__":
    sys.exit(junit.run("restore/test_restore.py", test_restore_returns_state))
