"""Creates the realm `docs` and its user `ada`, unless they exist. Runs in the live Keycloak's container."""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = "http://127.0.0.1:8080"


def post(path: str, body: bytes, token: str = "") -> dict[str, str]:
    headers = {"Host": sys.argv[1]} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(HERE + path, body, headers), timeout=10) as answer:
            said = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise
        return {}
    assert isinstance(said, dict)
    return said


password = Path("/run/secrets/admin_password").read_text(encoding="utf-8").strip()
form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": password}
admin = post("/realms/master/protocol/openid-connect/token", urllib.parse.urlencode(form).encode())["access_token"]
post("/admin/realms", json.dumps({"realm": "docs"}).encode(), admin)
ada = {"username": "ada", "credentials": [{"type": "password", "value": "ada signs in here"}]}
post("/admin/realms/docs/users", json.dumps(ada).encode(), admin)
