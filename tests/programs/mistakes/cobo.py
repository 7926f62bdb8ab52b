"""Cobo, both roles, and Infras: wrong client code, one mistake each."""

import base64
import json
from pathlib import Path

from .curves import rsa, rsa_sign
from .table import http, row

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/cobo.json").read_text())
PEMS = {name: VECTORS["keys"][name] for name in ("tss_node", "callback_server")}
NODE, SERVER = (rsa(PEMS[name]["private_pkcs8_pem"]) for name in ("tss_node", "callback_server"))
NOW = 1764337800000
ASKED = {"request_id": "r-1", "request_type": 2, "request_detail": "{}"}
FORM = "application/x-www-form-urlencoded"


def b64u(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def client(key=NODE, header=None, claims=None, package=None, sign=None, change=None, form="TSS_JWT_MSG={}", kind=FORM,
           method="POST", exp=NOW // 1000 + 120, parts=None, flat=False, headers=(), path="/v1/check", shown=None):
    header = header or {"alg": "RS256", "typ": "JWT"}
    if package is None:
        package = base64.b64encode(json.dumps(ASKED).encode()).decode()
    own = dict(ASKED) if flat else {"package_data": package}
    claims = claims or {**own, "exp": exp, "iss": "node"}
    signed = f"{b64u(json.dumps(header).encode())}.{b64u(json.dumps(claims).encode())}"
    signature = (sign or (lambda key, text: rsa_sign(key, text.encode())))(key, signed)
    token = (change(signed) if change else signed) + "." + b64u(signature)
    token = parts(token) if parts else token
    return http(method, path, "callback.example.com", [("Content-Type", kind), *headers], form.format(token).encode())


def both(name, codes, words="", extra=None, **wrong):
    row(f"cobo_client: {name}", "node", client(**wrong), codes, words, **(extra or {}))
    wrong.setdefault("key", NODE)
    row(f"cobo_callback: {name}", "cobo", client(**wrong), codes, words, **(extra or {}))


def changed(name, value):
    def change(signed):
        head, body = signed.split(".")
        claims = json.loads(base64.urlsafe_b64decode(body + "=="))
        claims[name] = value
        return f"{head}.{b64u(json.dumps(claims).encode())}"

    return change


def rows():
    good = {"at": NOW + 500}
    both("good", [], extra=good)
    both("good, typ first", [], header={"typ": "JWT", "alg": "RS256"}, extra=good)
    both("good, claims in another order", [], extra=good, claims={
        "iss": "x", "iat": NOW // 1000, "exp": NOW // 1000 + 60, "package_data": base64.b64encode(json.dumps(ASKED).encode()).decode()})
    both("iss changed afterwards", ["token_changed"], change=changed("iss", "other"))
    both("alg changed afterwards", ["token_alg", "token_changed"], change=lambda s: b64u(b'{"alg":"RS512","typ":"JWT"}') + s[s.index("."):])
    both("HS256", ["token_alg"], header={"alg": "HS256", "typ": "JWT"})
    both("alg none", ["token_alg"], header={"alg": "none"})
    both("SHA-512", ["hash_other"], sign=lambda k, t: rsa_sign(k, t.encode(), "sha512"))
    both("the server's key", ["token_side"], key=SERVER)
    both("the payload alone", ["token_form"], sign=lambda k, t: rsa_sign(k, t.split(".")[1].encode()))
    both("padding", ["token_form"], parts=lambda t: ".".join(p + "=" * (-len(p) % 4) for p in t.split(".")))
    both("JSON", ["token_place"], form='{{"TSS_JWT_MSG":"{}"}}', kind="application/json")
    both("another field", ["token_place"], form="token={}")
    both("another Content-Type", ["token_place", "part_form"], kind="text/plain")
    both("bare claims", ["package_place"], flat=True)
    both("base64url inside", ["package_encoding"], package=b64u(json.dumps({**ASKED, "x": "~~~???>>>"}).encode()))
    both("JSON inside", ["package_encoding", "package_place"], package=json.dumps(ASKED))
    both("no request inside", ["package_form"], package=base64.b64encode(b'{"request_type":2}').decode())
    both("exp in milliseconds", ["token_times"], exp=NOW + 120_000)
    both("no exp", ["token_times"], claims={"package_data": base64.b64encode(json.dumps(ASKED).encode()).decode()})
    both("expired", ["expired"], extra={"at": NOW + 600_000})
    both("two tokens", ["part_twice"], form="TSS_JWT_MSG={0}&TSS_JWT_MSG={0}")
    both("a GET", ["method_unsignable"], method="GET")
    both("cut", ["token_issuer", "signature_cut"], parts=lambda t: t[:-20])
    row("cobo_callback: another iss", "cobo_issuer", client(key=SERVER), ["member_other"], "iss", at=NOW + 500)
    row("cobo_callback: far ahead", "cobo", client(exp=NOW // 1000 + 30 * 86_400), ["not_yet"], "horizon", at=NOW)
    infras()


HEADERS = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
           ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
TOKEN = b64u(b'{"alg":"RS256"}') + "." + b64u(json.dumps({"exp": NOW // 1000 + 600}).encode()) + "." + b64u(b"canary-of-a-token")


def socket(upgrade=HEADERS, token=TOKEN, request='{"signtype":"gg20","src":"0"}', header="Infras-Mpc-Request", double=False):
    own = [("Sec-WebSocket-Infras-Token", token)] if token else []
    own += [(header, request)] * (2 if double else 1)
    return http("GET", "/mpc/sign", "api.infras.online", list(upgrade) + own)


def one(name, codes, words="", extra=None, **wrong):
    row(f"infras: {name}", "infras", socket(**wrong), codes, words, **(extra or {"at": NOW}))


def infras():
    one("good", [])
    one("good, the other order", [], request='{"src": "0", "signtype": "gg20"}')
    one("no upgrade", ["upgrade_missing"], upgrade=[])
    one("expired", ["expired"], extra={"at": NOW + 700_000})
    one("another token", ["token_other"], token=TOKEN[:-3] + "AAA")
    one("Bearer", ["part_form"], "Bearer", token="Bearer " + TOKEN)
    one("no token", ["part_missing"], token=None)
    one("another src", ["member_other"], "src", request='{"signtype":"gg20","src":"1"}')
    one("src as a number", ["member_other"], "src", request='{"signtype":"gg20","src":0}')
    one("no signtype", ["member_missing"], "signtype", request='{"src":"0"}')
    one("signtype in capitals", ["member_other"], "signtype", request='{"signtype":"GG20","src":"0"}')
    one("one more", ["member_surplus"], "bm", request='{"signtype":"gg20","src":"0","bm":"00"}')
    one("single quotes", ["part_form"], request="{'signtype':'gg20','src':'0'}")
    one("twice", ["part_twice"], double=True)
    one("the newer name", ["part_missing", "part_misnamed"], header="WebSocket-Mpc-Request")
