#!/usr/bin/env python3
"""A client joins over the Mumble protocol: TLS, Version and Authenticate out; Version, ChannelState, ServerSync in."""

from __future__ import annotations

import socket
import ssl
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "lib"))
import junit

TIMEOUT = 4.0
EXPECTED_CHANNEL = "Root"

VERSION, AUTHENTICATE, REJECT, SERVER_SYNC, CHANNEL_STATE = 0, 2, 4, 5, 7
HEADER = struct.Struct(">HI")
CLIENT_VERSION = 0x010304


def varint(value: int) -> bytes:
    """A protobuf varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def text(field: int, value: str) -> bytes:
    raw = value.encode()
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data: bytes) -> dict[int, int | bytes]:
    """The fields of a protobuf message, undecoded. Of a repeated field only the last value is kept."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        field, wire = key >> 3, key & 7
        if wire == 0:
            found[field], at = read_varint(data, at)
        else:
            size, at = read_varint(data, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
            found[field], at = data[at : at + size], at + size
    return found


def frame(kind: int, payload: bytes) -> bytes:
    return HEADER.pack(kind, len(payload)) + payload


class Client:
    """A connection to the voice server. All waits share one deadline."""

    def __init__(self, host: str, port: int) -> None:
        self.deadline = time.monotonic() + TIMEOUT
        raw = self._connect(host, port)
        raw.settimeout(self._left())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.tls = context.wrap_socket(raw)
        self.buffer = bytearray()

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no complete handshake within {TIMEOUT:g} s")
        return left

    def _connect(self, host: str, port: int) -> socket.socket:
        while True:
            try:
                return socket.create_connection((host, port), timeout=self._left())
            except ConnectionRefusedError:
                time.sleep(0.1)

    def send(self, kind: int, payload: bytes) -> None:
        self.tls.sendall(frame(kind, payload))

    def receive(self) -> tuple[int, bytes]:
        kind, size = HEADER.unpack(self._take(HEADER.size))
        return kind, self._take(size)

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self.tls.settimeout(self._left())
            chunk = self.tls.recv(65536)
            if not chunk:
                raise ConnectionError("the server closed the connection")
            self.buffer += chunk
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken


def test_handshake_completes_with_channel_presence(host: str, port: str) -> None:
    """The server says its version, shows its channels and synchronises the session."""
    client = Client(host, int(port))
    client.send(VERSION, number(1, CLIENT_VERSION) + text(2, "redfix"))
    client.send(AUTHENTICATE, text(1, f"ci-{time.time_ns() % 10**9}") + number(5, 1))
    seen: set[int] = set()
    channels: set[str] = set()
    while SERVER_SYNC not in seen:
        kind, payload = client.receive()
        seen.add(kind)
        assert kind != REJECT, f"the server rejected the client: {fields(payload)}"
        if kind == CHANNEL_STATE:
            name = fields(payload).get(3)
            channels.add(name.decode() if isinstance(name, bytes) else "")
    assert VERSION in seen, "no Version from the server"
    assert EXPECTED_CHANNEL in channels, f"no channel {EXPECTED_CHANNEL} among {len(channels)}"


if __name__ == "__main__":
    sys.exit(junit.run("custom/test_protocol_handshake.py", test_handshake_completes_with_channel_presence))
