"""Plays a Cobo callback server with PyJWT: approves key generation and nothing else.

Arguments: file with the server's key, file with the node's public key, "bare" or "quoted" for the
form of the answer. Prints its port and serves until its input ends.
"""

import base64
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import jwt

KEY, NODE, FORM = sys.argv[1:]


def answer(body):
    token = parse_qs(body, strict_parsing=True)["TSS_JWT_MSG"]
    claims = jwt.decode(token[0], open(NODE).read(), algorithms=["RS256"], options={"require": ["exp"]})
    asked = json.loads(base64.b64decode(claims["package_data"], validate=True))
    action = "APPROVE" if asked["request_type"] == 1 else "REJECT"
    said = {"status": 0, "request_id": asked["request_id"], "action": action, "error": None}
    package = base64.b64encode(json.dumps(said).encode()).decode()
    claims = {"package_data": package, "exp": int(time.time()) + 120, "iss": "server", "nbf": None}
    return jwt.encode(claims, open(KEY).read(), algorithm="RS256")


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        text = answer(body)
        text = json.dumps(text) if FORM == "quoted" else text
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
