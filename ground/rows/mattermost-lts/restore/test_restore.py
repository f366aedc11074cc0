#!/usr/bin/env python3
"""After the restore the chat has exactly the posts that it had at the backup."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "lib"))
import junit

HTTP_TIMEOUT = 10.0
# How long the database may refuse connections while it is restored, in seconds.
PATIENCE = 30.0


def posts(url: str) -> list[str]:
    """Every message. Retry while the server answers with an error."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(url, timeout=HTTP_TIMEOUT) as response:
                return [post["message"] for post in json.load(response)]
        except HTTPError as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"GET {url} answered {error.code}: {error.read().decode(errors='replace')}") from error
            time.sleep(0.5)


def test_restore_returns_state(url: str, file: str) -> None:
    """Posts that existed at the backup exist again, and later ones are gone."""
    kept = [post["message"] for post in json.loads(Path(file).read_text(encoding="utf-8"))]
    found = posts(url)
    lost = [message for message in kept if message not in found]
    later = [message for message in found if message not in kept]
    assert not lost and not later, f"not the state of the backup: {lost} are lost, {later} are still there"


if __name__ == "__main__":
    sys.exit(junit.run("restore/test_restore.py", test_restore_returns_state))
