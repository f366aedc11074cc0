#!/usr/bin/env python3
"""limited_authority.py ADDRESS CERTIFICATE KEY: an ACME authority that answers every request with "rate limited".

It prints the port that it listens on, and ends when its standard input ends.
"""

import http.server
import json
import ssl
import sys
import threading


class Limited(http.server.BaseHTTPRequestHandler):
    def refuse(self):
        problem = {
            "type": "urn:ietf:params:acme:error:rateLimited",
            "detail": "too many certificates (5) already issued",
            "status": 429,
        }
        body = json.dumps(problem).encode()
        self.send_response(429)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = refuse

    def log_message(self, *_):
        pass


def main():
    address, certificate, key = sys.argv[1:]
    server = http.server.ThreadingHTTPServer((address, 0), Limited)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


main()
