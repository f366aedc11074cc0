#!/usr/bin/env python3
"""The backup holds what people wrote."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import junit


def test_backup_holds_the_topic(dump: str, title: str) -> None:
    """The dump that was copied out of the volume is whole, and has the topic in it."""
    text = Path(dump).read_text(encoding="utf-8")
    assert "\n-- PostgreSQL database dump complete" in text, "the dump is cut short"
    assert title in text, f"no topic '{title}' in the dump"


if __name__ == "__main__":
    sys.exit(junit.run("backup/test_backup.py", test_backup_holds_the_topic))
