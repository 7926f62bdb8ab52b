#!/usr/bin/env python3
"""Writes configurations of countersign for run.sh: one for each way to sign, in a directory and at a port of its own.

    bench/peers/ours.py PROGRAM WORK HTTP_PORT HTTPS_PORT

What is asked for is 127.0.0.1 and, by name, localhost.
"""
import os, subprocess, sys

NUMBER = "42" * 32
# Name, scheme, algorithm; what the key is: its text, or the size of one to make; what the route has beside it.
API_KEY = 'secrets = { api_key = "plain" }'
OKX = 'secrets = { api_key = "plain", passphrase = "plain" }'
ROWS = [
    ("countersign", None, None, None, ""),
    ("countersign-metasv", "metasv", "ecdsa_secp256k1", NUMBER, ""),
    ("countersign-sinohope", "sinohope", "ecdsa_p256", NUMBER, ""),
    ("countersign-okx", "okx", "hmac_sha256", NUMBER, OKX),
    ("countersign-ed25519", "binance_ed25519", "ed25519", NUMBER, API_KEY),
    ("countersign-rsa2048", "bybit_rsa", "rsa_pkcs1_sha256", 2048, API_KEY),
    ("countersign-rsa4096", "bybit_rsa", "rsa_pkcs1_sha256", 4096, API_KEY),
    ("countersign-loopring", "loopring", "eddsa_babyjub", "42" * 30, ""),
    ("countersign-beside", "okx", "hmac_sha256", NUMBER, OKX),
]
# Inside a CONNECT a token is put in, which computes nothing: what is measured there is interception.
COMMON = """
[listen]
forward = "127.0.0.1:{port}"
[access]
unrouted = "pass"
pass_private = ["127.0.0.0/8"]
[limits]
connections = 8192
[intercept]
ca_cert = "{work}/ca.pem"
ca_key = "ca"
[stores.files]
kind = "file"
dir = "."
[secrets.ca]
store = "files"
entry = "ca-key.pem"
[secrets.plain]
store = "files"
entry = "plain"
[routes.inside]
host = "localhost:{https}"
scheme = "metasv"
secrets = {{ token = "plain" }}
upstream = "tls"
[upstreams.http]
url = "http://127.0.0.1:{http}"
[upstreams.tls]
url = "https://localhost:{https}"
ca = "{work}/ca.pem"
"""
SIGNS = """
[keys.{name}]
store = "files"
entry = "{name}"
algorithm = "{algorithm}"
[routes.{name}]
host = "{host}:{http}"
scheme = "{scheme}"
keys = {{ {slot} = "{name}" }}
upstream = "http"
{more}
"""


def private(path, text):
    with open(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)


def key(program, path, algorithm, what):
    if isinstance(what, str):
        private(path, what)
    elif not os.path.exists(path):
        subprocess.run([program, "keys", "new", "--algorithm", algorithm, "--bits", str(what), "--out", path],
                       check=True, stdout=subprocess.DEVNULL)


def signs(program, home, name, row, host, http):
    _, scheme, algorithm, what, more = row
    key(program, os.path.join(home, name), algorithm, what)
    slot = "eddsa" if scheme == "loopring" else "signer"
    return SIGNS.format(name=name, algorithm=algorithm, host=host, http=http, scheme=scheme, slot=slot, more=more)


def main():
    program, work, http, https = sys.argv[1:]
    slow = next(row for row in ROWS if row[0] == "countersign-rsa4096")
    for port, row in enumerate(ROWS, 19201):
        home = os.path.join(work, row[0])
        os.makedirs(home, 0o700, exist_ok=True)
        private(os.path.join(home, "plain"), NUMBER)
        with open(os.path.join(work, "ca.key")) as file:
            private(os.path.join(home, "ca-key.pem"), file.read())
        text = COMMON.format(port=port, work=work, http=http, https=https)
        if row[1]:
            text += signs(program, home, "fast", row, "127.0.0.1", http)
        if row[0] == "countersign-beside":
            # A slow key in the same proxy, for another host.
            text += signs(program, home, "slow", slow, "localhost", http)
        with open(os.path.join(home, "proxy.toml"), "w") as file:
            file.write(text)
        with open(os.path.join(home, "port"), "w") as file:
            file.write(str(port))


main()
