#!/usr/bin/env python3
"""A created repository is listed. The list is written to a file for the test after the promotion."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "lib"))
import junit

HTTP_TIMEOUT = 10.0


def test_create_repository(url: str, file: str) -> None:
    """Create a repository, list all, and write the list to FILE."""
    name = f"ci-marker-{time.time_ns()}"
    with urlopen(Request(url, data=json.dumps({"name": name}).encode()), timeout=HTTP_TIMEOUT) as response:
        assert response.status == 201, f"POST {url} answered {response.status}"
    with urlopen(url, timeout=HTTP_TIMEOUT) as response:
        names = [repository["name"] for repository in json.load(response)]
    assert name in names, f"{name} is not among {names}"
    Path(file).write_text(json.dumps(names), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(junit.run("custom/test_repos.py", test_create_repository))
