"""Every provider of the programs, on one port: says of each request whether it was signed.

Arguments: the directory of a proxy, a certificate and its key. Writes the proxy's keys, secrets
and routes there, prints its port, and a line of JSON for each request.
"""

import http.server
import json
import os
import ssl
import sys
import threading

import providers
import ccxt_judge
from venues import KINDS, PASSPHRASE, VENUES


class Request:
    def __init__(self, handler):
        self.method, self.target = handler.command, handler.path
        self.headers, self.host = handler.headers, handler.headers["Host"]
        self.body = handler.rfile.read(int(handler.headers["Content-Length"] or 0))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        request = Request(self)
        judge = providers.JUDGES.get(request.host, ccxt_judge.judge)
        try:
            reason = judge(request)
        except Exception as error:  # Whatever a stranger's library makes of a bad request.
            reason = repr(error)
        line = {"host": request.host, "method": request.method, "target": request.target,
                "refused": reason}
        print(json.dumps(line), flush=True)
        body = json.dumps(providers.ANSWERS.get(request.host, {}) if reason is None else line)
        self.send_response(200 if reason is None else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


def write(directory, name, content):
    with open(os.open(os.path.join(directory, "keys", name), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(content)


def table(name, lines):
    body = "".join(f"{key} = {json.dumps(value) if isinstance(value, str) else inline(value)}\n"
                   for key, value in lines.items())
    return f"\n[{name}]\n{body}"


def inline(value):
    return "{ " + ", ".join(f"{key} = {json.dumps(text)}" for key, text in value.items()) + " }"


def key(directory, name, content, algorithm):
    write(directory, f"{name}.key", content)
    lines = {"store": "files", "entry": f"{name}.key", "algorithm": algorithm}
    return table(f"keys.{name}", lines)


def secret(directory, name, content):
    write(directory, f"{name}.secret", content)
    return table(f"secrets.{name}", {"store": "files", "entry": f"{name}.secret"})


def venue_tables(directory, venue):
    material = KINDS[venue.kind][0]
    if venue.kind == "seed":
        material = bytes(range(32)).hex()
    text = key(directory, venue.name, material, venue.algorithm)
    secrets = {}
    if venue.scheme not in ("backpack",):
        text += secret(directory, venue.name, venue.key)
        secrets["api_key"] = venue.name
    if venue.passphrase:
        text += secret(directory, venue.name + "_passphrase", PASSPHRASE)
        secrets["passphrase"] = venue.name + "_passphrase"
    for index, (path, params) in enumerate((venue.params or {"/": {}}).items()):
        route = {"host": venue.host, "path": path, "scheme": venue.scheme,
                 "keys": {"signer": venue.name}, "upstream": "origin"}
        if secrets:
            route["secrets"] = secrets
        if params:
            route["params"] = params
        text += table(f"routes.{venue.name}_{index}", route)
    return text


def main(directory, certificate, private):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, private)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    text = "".join(venue_tables(directory, venue) for venue in VENUES)
    text += providers.tables(directory, key, secret, table)
    with open(os.path.join(directory, "routes.toml"), "w") as file:
        file.write(text)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Ends with the one who started it.
    sys.stdin.read()


main(*sys.argv[1:])
