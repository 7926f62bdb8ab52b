#!/usr/bin/env python3
"""What the program is run on while it is instrumented: requests as they are in use, so that the compiler knows
which of its code is hot. scripts/dist does so, and builds it again with what came of it.

    LLVM_PROFILE_FILE=DIR/%m.profraw bench/train.py PROGRAM

Each way to sign in both directions, unsigned, on connections that are kept and on new ones, intercepted over
HTTP/1.1 and HTTP/2; and the demo, for what is rare. What this does not run is built for size.
"""
import os, subprocess, sys, tempfile

from counted import CLIENT, Origin, Proxy, read

NUMBER = "42" * 30
# So many that starting, which reads much, is rare beside them.
# Host, scheme, algorithm, what the key is and what else the route has; and how many requests of each kind.
ROWS = [
    ("apiv2.metasv.com", "metasv", "ecdsa_secp256k1", NUMBER.rjust(64, "1"), "", 10_000),
    ("api.sinohope.com", "sinohope", "ecdsa_p256", NUMBER.rjust(64, "1"), "", 5_000),
    ("api3.loopring.io", "loopring", "eddsa_babyjub", NUMBER, "", 1_500),
    ("www.okx.com", "okx", "hmac_sha256", NUMBER, 'secrets = { api_key = "plain", passphrase = "plain" }', 15_000),
    ("api.binance.com", "binance_ed25519", "ed25519", NUMBER.rjust(64, "1"), 'secrets = { api_key = "plain" }', 4_000),
    ("api.bybit.com", "bybit_rsa", "rsa_pkcs1_sha256", 2048, 'secrets = { api_key = "plain" }', 400),
]
# An instrumented program writes its profile as it ends, which the sandbox has it give up.
CONFIG = """
[process]
sandbox = "off"
[listen]
forward = "127.0.0.1:0"
[access]
unrouted = "pass"
pass_private = ["127.0.0.0/8"]
[intercept]
ca_cert = "ca.pem"
ca_key = "ca"
[stores.files]
kind = "file"
dir = "."
[secrets.ca]
store = "files"
entry = "ca-key.pem"
[secrets.plain]
store = "files"
entry = "hmac"
[upstreams.origin]
url = "http://127.0.0.1:PORT"
"""
ROUTE = """
[keys.{scheme}]
store = "files"
entry = "{scheme}.key"
algorithm = "{algorithm}"
[routes.{scheme}]
host = "{host}"
scheme = "{scheme}"
keys = {{ {slot} = "{scheme}" }}
upstream = "origin"
{more}
"""
INTERCEPTED, KEPT, NEW, HTTP2 = "apiv2.metasv.com", 20_000, 2_000, 4_000
BODY = '{"symbol":"BTC-USDT","side":"buy","size":"1","note":"%s"}' % ("x" * 900)


def made(program, algorithm, bits):
    with tempfile.TemporaryDirectory() as home:
        path = os.path.join(home, "key")
        subprocess.run([program, "keys", "new", "--algorithm", algorithm, "--bits", str(bits), "--out", path],
                       check=True, stdout=subprocess.DEVNULL)
        with open(path) as file:
            return file.read()


def message(method, before, host, body=""):
    head = f"{method} {before}/api/v1/orders?symbol=BTC-USDT&limit=20 HTTP/1.1\r\nhost: {host}\r\n{CLIENT}"
    if method == "GET":
        return f"{head}\r\n".encode()
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


def send(proxy, inside, messages, count, new=False):
    """So many of each, in turn, on eight connections, or each on one of its own."""
    streams = [] if new else [(proxy.connect(inside), bytearray()) for _ in range(8)]
    for index in range(count):
        for text in messages:
            stream, held = (proxy.connect(inside), bytearray()) if new else streams[index % 8]
            stream.sendall(text)
            head = read(stream, held)
            assert head and head.startswith(b"HTTP/1.1 200"), (text[:80], head)
            if new:
                stream.close()


def http2(proxy):
    several = f"https://{INTERCEPTED}/block/[1-{HTTP2}]"
    command = ["curl", "--silent", "--show-error", "--fail", "--http2", "--parallel", "--parallel-max", "8",
               "--proxy", f"http://127.0.0.1:{proxy.port}", "--cacert", proxy.path("ca.pem"),
               "--write-out", "%{http_version}\n", "--output", os.devnull, several]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert told == ["2"] * HTTP2, set(told)


def main():
    program = os.path.abspath(sys.argv[1])
    config, files = CONFIG, {}
    for host, scheme, algorithm, key, more, _ in ROWS:
        slot = "eddsa" if scheme == "loopring" else "signer"
        config += ROUTE.format(host=host, scheme=scheme, algorithm=algorithm, slot=slot, more=more)
        files[f"{scheme}.key"] = key if isinstance(key, str) else made(program, algorithm, key)
    origin = Origin()
    proxy = Proxy(program, [], origin.port, config, files, threads=None)
    own = f"127.0.0.1:{origin.port}"
    plain = [message("GET", f"http://{own}", own), message("POST", f"http://{own}", own, "x" * 10240)]
    send(proxy, False, plain, KEPT)
    send(proxy, False, plain, NEW, new=True)
    for host, scheme, *_, count in ROWS:
        signed = [message("GET", f"http://{host}", host)]
        # What Loopring signs of a body is each of its fields.
        signed += [message("POST", f"http://{host}", host, BODY)] * (scheme != "loopring")
        send(proxy, False, signed, count)
    inside = [message("GET", "", INTERCEPTED), message("POST", "", INTERCEPTED, BODY)]
    send(proxy, True, inside, KEPT)
    send(proxy, True, inside, NEW, new=True)
    http2(proxy)
    proxy.end()
    subprocess.run([program, "demo", "--once"], check=True, stdout=subprocess.DEVNULL)


main()
