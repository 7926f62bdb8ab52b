"""Sinohope: wrong client code, one mistake each. `client` is what is right, with a hole for each thing
that a program can do otherwise."""

import base64
import hashlib
import json
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from .curves import K256, P256, der, raw
from .table import http, row

KEY = int.from_bytes(hashlib.sha256(b"mistakes sinohope").digest(), "big") % (P256.n - 1) + 1
OTHER = int.from_bytes(hashlib.sha256(b"mistakes sinohope, another").digest(), "big") % (P256.n - 1) + 1
HOST, NOW = "api.sinohope.com", 1764337800123
BODY = '{"vaultId": "180047", "amount": 1.50, "chainSymbol": "BTC", "note": "Grüße a/b"}'
QUERY = "vaultId=180047&page=2&limit=50&chainSymbol=BTC"


def form(query, sort=True, first=True, encode=quote_plus, names=str):
    pairs = parse_qsl(query, keep_blank_values=True)
    if sort:
        pairs.sort(key=lambda pair: pair[0].encode())
    if first:
        seen = {}
        for name, value in pairs:
            seen.setdefault(name, value)
        pairs = list(seen.items())
    java = lambda text: encode(text) if encode is not quote_plus else quote_plus(text, safe="*").replace("~", "%7E")
    return "&".join(f"{names(name)}={java(value)}" for name, value in pairs)


def squeeze(text):
    return text.replace(" ", "").replace("\n", "")


def client(
    method="POST", path="/v1/waas/mpc/wallet", query="", body=BODY, data=None, signed_path=None, now=NOW,
    signed_now=None, shown_now=None, labels=("data", "path", "timestamp", "version"), version="1.0.0",
    public=None, shown=None, key=KEY, curve=P256, digest=None, whole=None, written=None, drop=(), double=(),
    headers=(), sent_body=None, **more
):
    if data is None:
        data = form(query) if method == "GET" else squeeze(body)
    public = public if public is not None else P256.spki(KEY).hex()
    text = "".join(
        label + value
        for label, value in zip(labels, (data, signed_path if signed_path is not None else path, str(signed_now or now), version))
    ) + public
    text = whole(text) if whole else text
    text = text if isinstance(text, bytes) else text.encode()
    signature = curve.sign(key, digest(text) if digest else hashlib.sha256(text).digest())
    signature = written(signature) if written else der(signature).hex()
    own = [
        ("BIZ-API-KEY", shown or P256.spki(KEY).hex()),
        ("BIZ-API-NONCE", shown_now or str(now)),
        ("BIZ-API-SIGNATURE", signature),
    ]
    own = [pair for pair in own if pair[0] not in drop]
    own += [pair for pair in own if pair[0] in double]
    target = path + (f"?{query}" if query else "")
    body = (sent_body if sent_body is not None else body).encode() if method != "GET" else b""
    kind = [("Content-Type", "application/json")] if body else []
    return http(method, target, HOST, kind + own + list(headers), body, **more)


def post(name, codes, words="", extra=None, **wrong):
    row(f"sinohope: {name}", "sinohope", client(**wrong), codes, words, **(extra or {}))


def get(name, codes, words="", query=QUERY, **wrong):
    request = client(method="GET", path="/v1/waas/mpc/wallet", query=query, **wrong)
    row(f"sinohope: {name}", "sinohope", request, codes, words)


def rows():
    sha = lambda data: hashlib.sha256(data).digest()
    post("a good POST", [])
    get("a good GET", [])
    get("a good GET with escapes", [], query="name=a%20b%2Fc&tag=%E8%B7%AF&tag=2&x=~*")
    post("a good POST with an empty body", [], body="")
    # queries
    get("names as they stand", ["query_unsorted"], data=form(QUERY, sort=False))
    odd = "note=a%20b%2Fc&amount=1%2B1&tag=x~y"
    get("decoded values", ["query_decoded"], query=odd, data="&".join(f"{n}={v}" for n, v in sorted(parse_qsl(odd))))
    get("encodeURIComponent", ["query_encoding"], query=odd, data=form(odd, encode=lambda t: quote(t, safe="!'()*~-_.")))
    get("lower-case escapes", ["query_lowercase"], query="note=a%2Fb&a=%C3%BC", data="a=%c3%bc&note=a%2fb")
    get("as it is sent", ["query_as_sent", "query_unsorted"], query=odd, data=odd)
    get("the last of a name", ["query_repeated"], query="a=1&a=2&b=3", data="a=2&b=3")
    get("all of a name", ["query_repeated"], query="a=1&a=2&b=3", data="a=1&a=2&b=3")
    get("no query at all", ["query_missing", "piece_missing"], data="")
    get("a question mark", ["query_mark"], data="?" + form(QUERY))
    get("{} for a GET", ["query_body"], data="{}")
    get("sorted by case", ["query_sorted"], query="b=1&A=2&C=3&a=4", data="A=2&a=4&b=1&C=3")
    # bodies
    post("json.dumps and json=", ["body_spaces", "body_remade", "body_order", "body_escapes", "body_numbers"],
         data=squeeze(json.dumps(json.loads(BODY))))
    post("members sorted", ["body_order"], body='{"b":"1","a":"2"}', data='{"a":"2","b":"1"}')
    post("escapes of json.dumps", ["body_escapes"], body='{"note":"Grüße"}', data=json.dumps({"note": "Grüße"}).replace(" ", ""))
    post("slashes escaped", ["body_escapes"], body='{"url":"a/b"}', data='{"url":"a\\/b"}')
    post("1.0 as 1", ["body_numbers"], body='{"amount":1.0}', data='{"amount":1}')
    post("str(dict)", ["body_printed"], body='{"a": "1", "b": true}', data="{'a':'1','b':True}")
    post("spaces kept", ["body_removed"], data=BODY)
    post("tabs taken out too", ["body_removed"], body='{\t"a":\t1}', data='{"a":1}')
    post("an empty body as {}", ["body_empty"], body="", data="{}")
    post("no body signed", ["body_missing"], data="")
    post("the hash of the body", ["body_hashed"], data=hashlib.sha256(BODY.encode()).hexdigest())
    post("query for the body", ["body_query"], query=QUERY, data=form(QUERY, sort=False))
    post("body as a form", ["body_form_signed"], body='{"a":"1","b":"2"}', data="a=1&b=2")
    # paths
    post("with a slash", ["path_slash"], signed_path="/v1/waas/mpc/wallet/")
    post("URL", ["path_url"], signed_path=f"https://{HOST}/v1/waas/mpc/wallet")
    post("host and path", ["path_host"], signed_path=f"{HOST}/v1/waas/mpc/wallet")
    post("path and query", ["path_query"], query="a=1", signed_path="/v1/waas/mpc/wallet?a=1")
    post("without /v1", ["path_prefix"], signed_path="/waas/mpc/wallet")
    post("decoded path", ["path_decoded"], path="/v1/a%20b", signed_path="/v1/a b")
    # text
    post("seconds signed", ["time_signed_seconds"], signed_now=NOW // 1000)
    post("the clock read twice", ["time_other"], signed_now=NOW - 7)
    post("seconds sent and signed", ["time_seconds"], now=NOW // 1000)
    post("a fraction", ["time_form"], shown_now=f"{NOW / 1000:.3f}", signed_now=f"{NOW / 1000:.3f}")
    post("no version", ["piece_missing"], "version", labels=("data", "path", "timestamp", ""), version="")
    post("no key in the text", ["piece_missing"], "public key", public="")
    post("key in capitals", ["key_signed"], public=P256.spki(KEY).hex().upper())
    post("point for key", ["key_signed"], public=P256.point(KEY, True).hex())
    post("labels left out", ["piece_missing"], labels=("", "", "", ""))
    post("path first", ["pieces_swapped"], whole=lambda t: "path/v1/waas/mpc/walletdata" + squeeze(BODY) + t[t.index("timestamp"):])
    post("a line end", ["newline"], whole=lambda t: t + "\n")
    post("the method in front", ["method_added"], whole=lambda t: "POST" + t)
    # digests, forms, keys
    post("hashed twice", ["hash_twice"], digest=lambda t: sha(sha(t)))
    post("hex of the hash", ["hash_hex"], digest=lambda t: sha(sha(t).hex().encode()))
    post("not hashed", ["hash_none"], digest=lambda t: t)
    post("SHA-512", ["hash_other"], digest=lambda t: hashlib.sha512(t).digest())
    post("base64", ["signature_encoding"], written=lambda s: base64.b64encode(der(s)).decode())
    post("r and s", ["signature_form"], written=lambda s: raw(s).hex())
    post("cut", ["signature_cut"], written=lambda s: der(s).hex()[:-8])
    post("wrong curve", ["curve_other", "key_other"], curve=K256)
    post("another key", ["key_other"], key=OTHER)
    post("another key throughout", ["key_shown"], key=OTHER, public=P256.spki(OTHER).hex(), shown=P256.spki(OTHER).hex())
    post("a point as key", ["key_form"], shown=P256.point(KEY).hex())
    post("no nonce", ["part_missing"], "NONCE", drop=("BIZ-API-NONCE",))
    post("no signature", ["part_missing"], "SIGNATURE", drop=("BIZ-API-SIGNATURE",))
    post("two signatures", ["part_twice"], "SIGNATURE", double=("BIZ-API-SIGNATURE",))
    post("wrong length", ["body_length"], length=len(BODY))
    post("late", ["clock_behind"], extra={"at": NOW + 400_000})
    post("early", ["clock_ahead"], extra={"at": NOW - 400_000})
    post("in time", [], extra={"at": NOW + 1_500})
