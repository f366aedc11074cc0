#!/usr/bin/env python3
"""A client of the forum for the tests and the life cycle."""

from __future__ import annotations

import argparse
import json
import sys
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlencode

HTTP_TIMEOUT = 10.0


class Forum:
    """The forum behind one address."""

    def __init__(self, host: str, port: str) -> None:
        self.address = host, int(port)

    def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, bytes]:
        connection = HTTPConnection(*self.address, timeout=HTTP_TIMEOUT)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, urlencode(form) if form else None, kind if form else {})
        response = connection.getresponse()
        return response.status, response.read()

    def json(self, method: str, path: str, form: dict[str, str] | None = None) -> Any:
        status, body = self.ask(method, path, form)
        assert status in (200, 201), f"{method} {path} answered {status}"
        return json.loads(body)

    def version(self) -> str:
        return str(self.json("GET", "/about")["version"])

    def write(self, title: str, raw: str) -> int:
        return int(self.json("POST", "/posts", {"title": title, "raw": raw})["id"])

    def topic(self, number: int) -> Any:
        return self.json("GET", f"/t/{number}")

    def find(self, words: str) -> list[int]:
        return list(self.json("GET", f"/search?q={quote(words)}")["topics"])

    def delete(self, number: int) -> None:
        status, _ = self.ask("DELETE", f"/t/{number}")
        assert status == 204, f"DELETE /t/{number} answered {status}"


def main() -> int:
    """Write a topic and print its number, delete a topic, or check which version the forum runs."""
    parser = argparse.ArgumentParser(prog="forum", description=main.__doc__)
    parser.add_argument("host")
    parser.add_argument("port")
    parser.add_argument("verb", choices=["write", "delete", "runs"])
    parser.add_argument("word", help="the topic's text, its number, or the version")
    args = parser.parse_args()
    forum = Forum(args.host, args.port)
    try:
        if args.verb == "write":
            print(forum.write(args.word, args.word))
        elif args.verb == "delete":
            forum.delete(int(args.word))
        else:
            return int(forum.version() != args.word)
    except (AssertionError, OSError, ValueError) as error:
        print(f"forum: {args.verb}: {args.host}:{args.port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
