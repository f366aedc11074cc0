#!/usr/bin/env python3
"""A message that is posted is read, and one that is deleted is not."""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "lib"))
import junit

HTTP_TIMEOUT = 10.0
POSTS = "/api/v4/posts"


def ask(host: str, port: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection = HTTPConnection(host, int(port), timeout=HTTP_TIMEOUT)
    connection.request(method, path, None if body is None else json.dumps(body))
    response = connection.getresponse()
    text = response.read()
    return response.status, json.loads(text) if text else None


def test_post_and_delete(host: str, port: str) -> None:
    """POST, GET, DELETE, GET."""
    status, post = ask(host, port, "POST", POSTS, {"message": "hello, world"})
    assert status == 201, f"POST answered {status}: {post}"
    status, posts = ask(host, port, "GET", POSTS)
    assert status == 200 and post in posts, f"the post is not among {posts}"
    status, _ = ask(host, port, "DELETE", f"{POSTS}/{post['id']}")
    assert status == 204, f"DELETE answered {status}"
    status, posts = ask(host, port, "GET", POSTS)
    assert status == 200 and post not in posts, "the post is still there"


if __name__ == "__main__":
    sys.exit(junit.run("custom/test_posts.py", test_post_and_delete))
