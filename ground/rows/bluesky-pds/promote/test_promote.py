#!/usr/bin/env python3
"""The server answers at its domain over TLS, and serves its own pages there, not those of another stack."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "lib"))
import junit

TIMEOUT = 10.0
ROUTED_WITHIN = 30.0
HANDLES = ("alice", "bob")


class Site:
    """A domain and those below it, reached through the node's reverse proxy. As with curl, 000 stands for no HTTP status."""

    def __init__(self, domain: str, address: str, port: str) -> None:
        self.domain = domain
        self.address = (address, int(port))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def connect(self, host: str) -> ssl.SSLSocket:
        """Connect to the server of this name. Retry while the proxy has no route and answers with its default certificate."""
        until = time.monotonic() + ROUTED_WITHIN
        while True:
            try:
                raw = socket.create_connection(self.address, timeout=TIMEOUT)
                tls = self.context.wrap_socket(raw, server_hostname=host)
            except (ConnectionError, ssl.SSLEOFError):
                if time.monotonic() > until:
                    raise
            else:
                if b"TRAEFIK DEFAULT CERT" not in (tls.getpeercert(binary_form=True) or b""):
                    return tls
                tls.close()
                assert time.monotonic() < until, f"no route to {host}"
            time.sleep(0.3)

    def ask(self, method: str, host: str, path: str, body: str | None = None) -> str:
        try:
            tls = self.connect(host)
        except OSError as error:
            raise AssertionError(f"{method} https://{host}{path}: 000: {error}") from error
        connection = http.client.HTTPConnection(host, timeout=TIMEOUT)
        connection.sock = tls
        connection.request(method, path, body, {"Host": host, "Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        connection.close()
        taken = "HandleNotAvailable" in text
        assert response.status == 200 or taken, f"{method} https://{host}{path}: {response.status}: {text[:60]}"
        return text


def test_the_domain_serves_its_own_pages(domain: str, address: str, port: str, accounts: str) -> None:
    """The server names this domain as its own; created accounts are found at their handles, and still there after a rest."""
    site = Site(domain, address, port)
    server = site.ask("GET", domain, "/xrpc/com.atproto.server.describeServer")
    assert f'"did:web:{domain}"' in server, f"https://{domain} serves somebody else's page: {server[:60]}"
    found = {}
    for name in HANDLES:
        handle = f"{name}.{domain}"
        site.ask("POST", domain, "/xrpc/com.atproto.server.createAccount", json.dumps({"handle": handle}))
        found[name] = site.ask("GET", handle, "/.well-known/atproto-did")
        assert found[name].startswith("did:plc:"), f"https://{handle} serves somebody else's page: {found[name][:60]}"
    kept = Path(accounts)
    before = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else found
    assert found == before, f"accounts were {before} and are {found}"
    kept.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(junit.run("promote/test_promote.py", test_the_domain_serves_its_own_pages))
