#!/usr/bin/env python3
"""A personal data server that answers as Bluesky's does, as far as Caddy, its health check and these tests ask it.

Accounts live in /data/pds.db. A handle is a name directly below the server's own.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

HOSTNAME = os.environ["PDS_HOSTNAME"]
PORT = int(os.environ["PDS_PORT"])


def database() -> sqlite3.Connection:
    return sqlite3.connect("/data/pds.db", timeout=10, isolation_level=None)


def did_of(handle: str) -> str | None:
    with database() as db:
        found = db.execute("SELECT did FROM accounts WHERE handle = ?", (handle,)).fetchone()
    return str(found[0]) if found else None


def create(handle: str) -> tuple[int, dict[str, str]]:
    if not handle.endswith(f".{HOSTNAME}"):
        return 400, {"error": "UnsupportedDomain"}
    if did_of(handle):
        return 400, {"error": "HandleNotAvailable"}
    did = f"did:plc:{secrets.token_hex(12)}"
    with database() as db:
        db.execute("INSERT INTO accounts VALUES (?, ?)", (handle, did))
    return 200, {"handle": handle, "did": did}


class Server(BaseHTTPRequestHandler):
    """The few calls; anything else is 404."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        host = self.headers.get("Host", "")
        if url.path == "/xrpc/_health":
            self.say(200, {"version": "0.4.158"})
        elif url.path == "/xrpc/com.atproto.server.describeServer":
            self.say(200, {"did": f"did:web:{HOSTNAME}", "availableUserDomains": [f".{HOSTNAME}"]})
        elif url.path == "/tls-check":
            domain = query.get("domain", "")
            known = domain == HOSTNAME or did_of(domain)
            self.say(200 if known else 404, {"success": True} if known else {"error": "NotFound"})
        elif url.path == "/.well-known/atproto-did" and (did := did_of(host)):
            self.say(200, did)
        elif url.path == "/":
            self.say(200, f"This is an AT Protocol Personal Data Server: did:web:{HOSTNAME}")
        else:
            self.say(404, {"error": "NotFound"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if urlsplit(self.path).path == "/xrpc/com.atproto.server.createAccount":
            self.say(*create(json.loads(body)["handle"]))
        else:
            self.say(404, {"error": "NotFound"})

    def say(self, status: int, said: object) -> None:
        text = said if isinstance(said, str) else json.dumps(said)
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(said, str) else "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


with database() as setup:
    setup.execute("CREATE TABLE IF NOT EXISTS accounts (handle TEXT PRIMARY KEY, did TEXT)")
server = ThreadingHTTPServer(("", PORT), Server)
Path("/tmp/ready").touch()
server.serve_forever()
