#!/usr/bin/env python3
"""A visitor writes, reads and searches."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "lib")]
import junit
from forum import Forum


def test_a_post_is_cooked_and_found(host: str, port: str) -> None:
    """Markdown becomes HTML in PostgreSQL, and the search knows its words."""
    forum = Forum(host, port)
    number = forum.write("Pangrams", "Sphinx of **black quartz**, judge my vow")
    assert "<strong>black quartz</strong>" in forum.topic(number)["cooked"][0], "the post is not cooked"
    assert number in forum.find("quartz sphinx"), f"the search does not find topic {number}"


def test_looks_are_counted(host: str, port: str) -> None:
    """Redis counts how often a topic is looked at."""
    forum = Forum(host, port)
    number = forum.write("Counting", "one, two")
    views = [forum.topic(number)["views"] for _ in range(3)]
    assert views == [1, 2, 3], f"counted {views}"


if __name__ == "__main__":
    sys.exit(junit.run("custom/test_forum.py", test_a_post_is_cooked_and_found, test_looks_are_counted))
