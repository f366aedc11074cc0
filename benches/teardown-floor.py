#!/usr/bin/env python3
"""Measures the least time in which the engine can tear a stack down, as the baseline of teardown.sh.

It sends the same deletes in the same order as swarm-isolate over one connection, and polls each condition every
10 ms. Prints the seconds from the first delete until nothing of the stack is listed any more.
usage: DOCKER_HOST=unix:///path teardown-floor.py STACK
"""

import http.client
import json
import os
import socket
import sys
import time
import urllib.parse


class Engine(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))


engine = Engine("engine")
label = {"label": ["com.docker.stack.namespace=" + sys.argv[1]]}
filters = "filters=" + urllib.parse.quote(json.dumps(label))


def ask(method, path):
    engine.request(method, "/v1.41" + path)
    answer = engine.getresponse()
    body = answer.read()
    return answer.status, json.loads(body) if body else None


def listed(kind):
    path = {"containers": "/containers/json?all=1&"}.get(kind, f"/{kind}?")
    found = ask("GET", path + filters)[1]
    found = found["Volumes"] or [] if kind == "volumes" else found
    return [o.get("ID") or o.get("Id") or o["Name"] for o in found]


def until_gone(*kinds):
    while any(listed(kind) for kind in kinds):
        time.sleep(0.01)


def delete(kind):
    for name in listed(kind):
        while ask("DELETE", f"/{kind}/{name}")[0] not in (200, 204, 404):
            time.sleep(0.01)


start = time.monotonic()
delete("services")
until_gone("tasks", "containers")
for each in ("networks", "configs", "secrets", "volumes"):
    delete(each)
until_gone("services", "containers", "networks", "configs", "secrets", "volumes", "tasks")
print(f"{time.monotonic() - start:.6f}")
