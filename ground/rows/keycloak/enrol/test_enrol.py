#!/usr/bin/env python3
"""The canonical serves OpenID at its own domain: the test creates a realm, signs a user in, and removes the realm."""

from __future__ import annotations

import http.client
import json
import secrets
import sys
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "lib"))
import junit

TIMEOUT = 10.0
ROUTED_WITHIN = 30.0


class Provider:
    """The provider at a domain, reached through the node's reverse proxy."""

    def __init__(self, domain: str, address: str, port: str) -> None:
        self.domain = domain
        self.address = (address, int(port))

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, dict[str, str]]:
        connection = http.client.HTTPConnection(*self.address, timeout=TIMEOUT)
        connection.request(method, path, body, {"Host": self.domain} | headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        is_json = "json" in (response.getheader("Content-Type") or "")
        return response.status, json.loads(text) if is_json else {}

    def discovery(self, realm: str) -> dict[str, str]:
        """The discovery document. Retry while the proxy has no route yet."""
        until = time.monotonic() + ROUTED_WITHIN
        while True:
            status, document = self.ask("GET", f"/realms/{realm}/.well-known/openid-configuration")
            if status == 200 or document or time.monotonic() > until:
                break
            time.sleep(0.3)
        assert status == 200, f"discovery of {realm} answered {status}"
        issuer = f"http://{self.domain}/realms/{realm}"
        assert document["issuer"] == issuer, f"the provider at {issuer} says that it is {document['issuer']}"
        return document

    def token(self, realm: str, user: str, password: str) -> str:
        form = {"grant_type": "password", "client_id": "ci", "username": user, "password": password}
        path = urlsplit(self.discovery(realm)["token_endpoint"]).path
        status, answer = self.ask("POST", path, urlencode(form))
        assert status == 200, f"{user} cannot sign in to {realm}: {status} {answer.get('error')}"
        return answer["access_token"]


def test_a_user_signs_in(domain: str, address: str, port: str, admin_password: str) -> None:
    """Create a realm and a user for this run; log in; the userinfo endpoint names this user."""
    provider = Provider(domain, address, port)
    admin = {"Authorization": f"Bearer {provider.token('master', 'admin', admin_password)}"}
    realm, password = f"ci-{secrets.token_hex(4)}", secrets.token_hex(8)
    status, answer = provider.ask("POST", "/admin/realms", json.dumps({"realm": realm}), **admin)
    assert status == 201, f"making the realm {realm} answered {status} {answer}"
    try:
        user = {"username": "grace", "credentials": [{"type": "password", "value": password}]}
        status, answer = provider.ask("POST", f"/admin/realms/{realm}/users", json.dumps(user), **admin)
        assert status == 201, f"making the user answered {status} {answer}"
        token = provider.token(realm, "grace", password)
        path = urlsplit(provider.discovery(realm)["userinfo_endpoint"]).path
        status, who = provider.ask("GET", path, Authorization=f"Bearer {token}")
        assert (status, who.get("preferred_username")) == (200, "grace"), f"userinfo answered {status} {who}"
    finally:
        provider.ask("DELETE", f"/admin/realms/{realm}", **admin)


if __name__ == "__main__":
    sys.exit(junit.run("enrol/test_enrol.py", test_a_user_signs_in))
