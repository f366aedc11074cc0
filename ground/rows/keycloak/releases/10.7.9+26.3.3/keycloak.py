#!/usr/bin/env python3
"""An OpenID provider that answers as Keycloak does, as far as clients and the admin interface of these tests ask it.

Realms and users live in /data/keycloak.db, and so does the key that signs tokens: what was signed before a restart is
good after it. Tokens are JSON Web Tokens (HS256).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

PORT = 8080
LIFE_SECONDS = 300
BASE = f"http://{os.environ['KC_HOSTNAME']}"
ADMIN_PASSWORD = Path(os.environ["KC_BOOTSTRAP_ADMIN_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
OPENID = "protocol/openid-connect"


class Refused(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


def database() -> sqlite3.Connection:
    return sqlite3.connect("/data/keycloak.db", timeout=10, isolation_level=None)


def prepare() -> bytes:
    """Make what is missing at the first start: tables, the realm master with its admin, the key."""
    with database() as db:
        db.execute("CREATE TABLE IF NOT EXISTS keys (value BLOB)")
        db.execute("CREATE TABLE IF NOT EXISTS realms (name TEXT PRIMARY KEY)")
        columns = "realm TEXT, name TEXT, salt BLOB, hash BLOB, PRIMARY KEY (realm, name)"
        db.execute(f"CREATE TABLE IF NOT EXISTS users ({columns})")
        if not db.execute("SELECT 1 FROM keys").fetchone():
            db.execute("INSERT INTO keys VALUES (?)", (secrets.token_bytes(32),))
            db.execute("INSERT INTO realms VALUES ('master')")
            add_user(db, "master", "admin", ADMIN_PASSWORD)
        key = db.execute("SELECT value FROM keys").fetchone()[0]
    return bytes(key)


def digest(password: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1000)


def add_user(db: sqlite3.Connection, realm: str, name: str, password: str) -> None:
    salt = secrets.token_bytes(16)
    db.execute("INSERT INTO users VALUES (?, ?, ?, ?)", (realm, name, salt, digest(password, salt)))


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(text: str) -> str:
    return b64(hmac.new(KEY, text.encode(), hashlib.sha256).digest())


def token_for(realm: str, user: str) -> str:
    now = int(time.time())
    claims = {"iss": f"{BASE}/realms/{realm}", "preferred_username": user, "iat": now, "exp": now + LIFE_SECONDS}
    text = f"{b64(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{text}.{sign(text)}"


def user_of(realm: str, authorization: str) -> str:
    """Whose token this is; it was signed here, for this realm, and is not over."""
    text, _, signature = authorization.removeprefix("Bearer ").rpartition(".")
    if not hmac.compare_digest(signature, sign(text)):
        raise Refused(401, "invalid_token")
    part = text.partition(".")[2]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    if claims["iss"] != f"{BASE}/realms/{realm}" or claims["exp"] < time.time():
        raise Refused(401, "invalid_token")
    return str(claims["preferred_username"])


def discovery(realm: str) -> dict[str, str]:
    issuer = f"{BASE}/realms/{realm}"
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/{OPENID}/token",
        "userinfo_endpoint": f"{issuer}/{OPENID}/userinfo",
    }


def login(realm: str, form: dict[str, str]) -> dict[str, object]:
    who = (realm, form.get("username"))
    with database() as db:
        found = db.execute("SELECT salt, hash FROM users WHERE realm = ? AND name = ?", who).fetchone()
    if form.get("grant_type") != "password" or not found:
        raise Refused(401, "invalid_grant")
    if not hmac.compare_digest(digest(form.get("password", ""), found[0]), found[1]):
        raise Refused(401, "invalid_grant")
    return {"access_token": token_for(realm, form["username"]), "token_type": "Bearer", "expires_in": LIFE_SECONDS}


class Keycloak(BaseHTTPRequestHandler):
    """/realms/REALM/... for everybody, /admin/realms... with a token of the realm master."""

    def realm(self, name: str) -> str:
        with database() as db:
            if not db.execute("SELECT 1 FROM realms WHERE name = ?", (name,)).fetchone():
                raise Refused(404, "Realm does not exist")
        return name

    def route(self, body: bytes) -> tuple[int, object]:
        match [part for part in self.path.partition("?")[0].split("/") if part]:
            case ["realms", realm, ".well-known", "openid-configuration"] if self.command == "GET":
                return 200, discovery(self.realm(realm))
            case ["realms", realm, "protocol", "openid-connect", "token"] if self.command == "POST":
                form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
                return 200, login(self.realm(realm), form)
            case ["realms", realm, "protocol", "openid-connect", "userinfo"] if self.command == "GET":
                return 200, {"preferred_username": user_of(self.realm(realm), self.headers.get("Authorization", ""))}
            case ["admin", "realms"] if self.command == "POST":
                return self.admin("INSERT INTO realms VALUES (?)", json.loads(body)["realm"])
            case ["admin", "realms", realm] if self.command == "DELETE":
                self.admin("DELETE FROM users WHERE realm = ?", realm)
                return self.admin("DELETE FROM realms WHERE name = ?", realm)
            case ["admin", "realms", realm, "users"] if self.command == "POST":
                user = json.loads(body)
                return self.admin("", self.realm(realm), user["username"], user["credentials"][0]["value"])
        raise Refused(404, "not found")

    def admin(self, statement: str, *words: str) -> tuple[int, object]:
        """A change that only the admin may make; without a statement, a new user."""
        if user_of("master", self.headers.get("Authorization", "")) != "admin":
            raise Refused(403, "forbidden")
        try:
            with database() as db:
                if statement:
                    db.execute(statement, words)
                else:
                    add_user(db, *words)
        except sqlite3.IntegrityError:
            raise Refused(409, "Conflict detected") from None
        return 201, {}

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, said = self.route(body)
        except Refused as refused:
            status, said = refused.status, {"error": str(refused)}
        except (ValueError, KeyError, IndexError):
            status, said = 400, {"error": "invalid_request"}
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_: object) -> None:
        """Requests are not worth a line."""


KEY = prepare()
server = ThreadingHTTPServer(("", PORT), Keycloak)
Path("/tmp/ready").touch()
print(f"Keycloak at {BASE}", flush=True)
server.serve_forever()
