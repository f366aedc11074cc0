#!/usr/bin/env python3
"""Every repository that existed before the promotion exists after it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "lib"))
import junit

HTTP_TIMEOUT = 10.0


def test_repositories_are_there(url: str, file: str) -> None:
    """GET names every repository in FILE."""
    before = json.loads(Path(file).read_text(encoding="utf-8"))
    with urlopen(url, timeout=HTTP_TIMEOUT) as response:
        names = [repository["name"] for repository in json.load(response)]
    lost = sorted(set(before) - set(names))
    assert not lost, f"lost: {', '.join(lost)}"


if __name__ == "__main__":
    sys.exit(junit.run("promote/test_data.py", test_repositories_are_there))
