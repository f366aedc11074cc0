#!/usr/bin/env python3
"""Sign a user in at the OpenID provider once a second, and serve on port 3000 how often that worked and failed.

Like a real client it reads the discovery document, gets a token from the token endpoint, and asks the userinfo endpoint
whose token it is, all through the reverse proxy. Failures before the first login are not counted, because provider and
client start at the same time; every later failure is.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode, urlsplit

ISSUER = os.environ["OIDC_ISSUER"]
PROXY = os.environ["OIDC_PROXY"]
USER = os.environ["OIDC_USER"]
PASSWORD = os.environ["OIDC_PASSWORD"]
TIMEOUT = 5.0
EVERY = 1.0

COUNT: dict[str, int | str] = {"logins": 0, "failed": 0, "last_failure": ""}


def ask(url: str, form: dict[str, str] | None = None, token: str = "") -> dict[str, str]:
    """GET, or POST the form, at the proxy's address under the URL's own host."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(PROXY, timeout=TIMEOUT)
    headers = {"Host": parts.netloc}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request("POST" if form is not None else "GET", parts.path, urlencode(form or {}), headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    if response.status != 200:
        raise OSError(f"{parts.path} answered {response.status}: {text[:80]}")
    answer = json.loads(text)
    if not isinstance(answer, dict):
        raise OSError(f"{parts.path} answered no object")
    return answer


def sign_in() -> None:
    """Log in once. Raises OSError or ValueError with the reason when that fails."""
    provider = ask(f"{ISSUER}/.well-known/openid-configuration")
    if provider["issuer"] != ISSUER:
        raise OSError(f"the provider at {ISSUER} says that it is {provider['issuer']}")
    form = {"grant_type": "password", "client_id": "docs", "username": USER, "password": PASSWORD, "scope": "openid"}
    token = ask(provider["token_endpoint"], form)["access_token"]
    user = ask(provider["userinfo_endpoint"], token=token)
    if user["preferred_username"] != USER:
        raise OSError(f"signed in as {user['preferred_username']}")


def keep_signing_in() -> None:
    while True:
        try:
            sign_in()
            COUNT["logins"] = int(COUNT["logins"]) + 1
            Path("/tmp/signed-in").touch()
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            print(f"login failed: {error}", file=sys.stderr)
            if COUNT["logins"]:
                COUNT["failed"] = int(COUNT["failed"]) + 1
                COUNT["last_failure"] = f"{time.strftime('%H:%M:%SZ', time.gmtime())} {error}"
        time.sleep(EVERY)


class Page(BaseHTTPRequestHandler):
    """Serves the count at / and 404 elsewhere, as any other service on the network would."""

    def do_GET(self) -> None:
        body = json.dumps(COUNT).encode() + b"\n"
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Do not log requests: there is one every few seconds."""


threading.Thread(target=keep_signing_in, daemon=True).start()
ThreadingHTTPServer(("", 3000), Page).serve_forever()
