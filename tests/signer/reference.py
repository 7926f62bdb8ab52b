"""A signer of the interface in docs/remote-signer.md, in the standard library alone.

It shares no code with the program, and shows how little an own signer needs. Its arithmetic is slow and
leaks by its timing: it is for reading and for tests, never for keys that are worth anything.

    reference.py SOCKET NAME=ALGORITHM:HEX ...
"""

import base64
import hashlib
import hmac
import http.server
import json
import secrets
import socketserver
import sys

# p, a, n and the base point of each curve, and its SubjectPublicKeyInfo up to the point.
CURVES = {
    "ecdsa_p256": (
        0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        -3,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
         0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5),
        "3059301306072a8648ce3d020106082a8648ce3d030107034200",
    ),
    "ecdsa_secp256k1": (
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F,
        0,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
        (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
         0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8),
        "3056301006072a8648ce3d020106052b8104000a034200",
    ),
}
HASHES = {f"hmac_{name}": name for name in ("sha1", "sha256", "sha384", "sha512")}
LONGEST = 1 << 20


def add(curve, one, other):
    p, a = curve[0], curve[1]
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % p == 0:
            return None
        slope = (3 * one[0] ** 2 + a) * pow(2 * one[1], -1, p)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, p)
    x = (slope**2 - one[0] - other[0]) % p
    return x, (slope * (one[0] - x) - one[1]) % p


def times(curve, number, point):
    total = None
    while number:
        if number & 1:
            total = add(curve, total, point)
        point, number = add(curve, point, point), number >> 1
    return total


def ecdsa(curve, key, digest):
    n, base = curve[2], curve[3]
    nonce = 1 + secrets.randbelow(n - 1)
    r = times(curve, nonce, base)[0] % n
    s = pow(nonce, -1, n) * (int.from_bytes(digest, "big") + r * key) % n
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def bytes_of(value):
    return base64.b64decode(value, validate=True)


class Refused(Exception):
    """A status, and a word for it."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    keys = {}

    def do_GET(self):
        self.respond(lambda algorithm, secret, action: self.describe(algorithm, secret))

    def do_POST(self):
        length = int(self.headers["content-length"])
        if length > LONGEST // 3 * 4 + 65536:
            self.close_connection = True
            return self.write(413, {"error": "too_long"})
        body = self.rfile.read(length)
        self.respond(lambda algorithm, secret, action: self.sign(algorithm, secret, body))

    def respond(self, act):
        try:
            name, _, action = self.path.removeprefix("/v1/keys/").partition("/")
            if name not in self.keys or action not in ("", "sign"):
                raise Refused(404, "no_such_key")
            self.write(200, act(*self.keys[name], action))
        except Refused as refused:
            self.write(refused.args[0], {"error": refused.args[1]})
        except (ValueError, KeyError, TypeError, AttributeError):
            self.write(400, {"error": "bad_request"})

    def describe(self, algorithm, secret):
        answer = {"algorithms": [algorithm]}
        if algorithm in CURVES:
            curve = CURVES[algorithm]
            x, y = times(curve, int.from_bytes(secret, "big"), curve[3])
            point = b"\4" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
            answer["public_key"] = base64.b64encode(bytes.fromhex(curve[4]) + point).decode()
        return answer

    def sign(self, algorithm, secret, body):
        asked = json.loads(body)
        message = bytes_of(asked["message"]) if "message" in asked else None
        digest = bytes_of(asked["digest"]) if "digest" in asked else None
        if (message is None) == (digest is None) or digest is not None and len(digest) != 32:
            raise Refused(400, "bad_request")
        if len(message or b"") > LONGEST:
            raise Refused(413, "too_long")
        if asked["algorithm"] != algorithm:
            raise Refused(403, "other_algorithm")
        if algorithm in CURVES:
            digest = digest or hashlib.sha256(message).digest()
            made = ecdsa(CURVES[algorithm], int.from_bytes(secret, "big"), digest)
        elif digest is not None:
            raise Refused(422, "not_signed")
        else:
            made = self.mac(HASHES[algorithm], secret, asked.get("mac", {"over": []}), message)
        return {"signature": base64.b64encode(made).decode()}

    def mac(self, hash_name, secret, how, message):
        key = bytes_of(how.get("prefix", "")) + secret + bytes_of(how.get("suffix", ""))
        for text in how["over"]:
            key = hmac.digest(key, bytes_of(text), hash_name)
            written = how.get("written", "raw")
            key = {"raw": key, "hex": key.hex().encode(), "base64": base64.b64encode(key)}[written]
        return hmac.digest(key, message, hash_name)

    def write(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "a peer"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


for argument in sys.argv[2:]:
    label, _, rest = argument.partition("=")
    kind, _, digits = rest.partition(":")
    Handler.keys[label] = (kind, bytes.fromhex(digits))
with Server(sys.argv[1], Handler) as server:
    server.serve_forever()
