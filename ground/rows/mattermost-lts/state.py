#!/usr/bin/env python3
"""Prepares the posts for the restore test: some exist at the backup; before the restore they are removed, and another is added.

`keep URL FILE`: post some messages, and write every post to FILE. `change URL FILE`: remove those, post another one.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

TIMEOUT = 10.0


def ask(url: str, method: str = "GET", body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data=data, method=method), timeout=TIMEOUT) as response:
        text = response.read()
    return json.loads(text) if text else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="state", description=__doc__)
    parser.add_argument("action", choices=["keep", "change"])
    parser.add_argument("url")
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    try:
        if args.action == "keep":
            for message in ("ci marker: original", "ci marker: second"):
                ask(args.url, "POST", {"message": message})
            args.file.write_text(json.dumps(ask(args.url)), encoding="utf-8")
        else:
            for post in json.loads(args.file.read_text(encoding="utf-8")):
                ask(f"{args.url}/{post['id']}", "DELETE")
            ask(args.url, "POST", {"message": "ci marker: after the backup"})
    except OSError as error:
        print(f"state: {args.action}: {args.url}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
