"""Loopring, header and bodies: wrong client code, one mistake each."""

import hashlib
import json
from urllib.parse import parse_qsl, quote

from .curves import BASE, BASE8, L, Q, jub_sign, jub_times, poseidon
from .table import http, row

KEY, OTHER = 123456, 654321
HOST, API = "api.loopring.io", ("X-API-KEY", "test-api-key")
safe = lambda text: quote(text, safe="-_.~")
QUERY = "orderHash=111%2C222&accountId=1234&note=a%20b"
BODY = '{"accountId": 1234, "orders": ["a/b", "é"], "amount": 1.50}'


def base(method, path, query, body, host=HOST, scheme="https://", url=None, encode=safe, outer=safe, sort=True, params=None,
         shown_method=None, outer_url=None):
    if params is None:
        if method in ("GET", "DELETE"):
            pairs = parse_qsl(query, keep_blank_values=True)
            pairs = sorted(pairs) if sort else pairs
            params = "&".join(f"{encode(name)}={encode(value)}" for name, value in pairs)
        else:
            params = body
    url = scheme + host + path if url is None else url
    return f"{method if shown_method is None else shown_method}&{(outer_url or outer)(url)}&{outer(params)}"


def client(method="GET", path="/api/v2/orders", query=QUERY, body="", text=None, number=None, partial=52, key=KEY, written=None,
           hexes=False, drop=(), generator=BASE, **wrong):
    text = base(method, path, query, body, **wrong) if text is None else text
    digest = hashlib.sha256(text.encode()).digest()
    message = number(text) if number else int.from_bytes(digest, "big") % Q
    parts = jub_sign(key, message, partial, generator)
    plain = "0x" + "".join(f"{part:064x}" for part in parts) if hexes else ",".join(map(str, parts))
    headers = [API, ("X-API-SIG", written(parts) if written else plain)]
    headers = [pair for pair in headers if pair[0] not in drop]
    target = path + (f"?{query}" if query else "")
    return http(method, target, HOST, headers, body.encode())


def v2(name, codes, words="", **wrong):
    row(f"loopring v2: {name}", "v2", client(**wrong), codes, words)


def post(name, codes, words="", **wrong):
    row(f"loopring v2: {name}", "v2", client(method="POST", query="", body=BODY, **wrong), codes, words)


def header():
    sha = lambda text: hashlib.sha256(text.encode()).digest()
    big = lambda data: int.from_bytes(data, "big")
    v2("good", [])
    post("good POST", [])
    row("loopring v3: good", "v3", client(path="/api/v3/orders", hexes=True), [])
    row("loopring v3: decimal", "v3", client(path="/api/v3/orders"), ["signature_encoding"])
    v2("hex", ["signature_encoding"], hexes=True)
    v2("path only", ["url_path"], url="/api/v2/orders")
    v2("another host", ["url_host"], host="uat2.loopring.io")
    v2("http", ["url_scheme"], scheme="http://")
    v2("v3 for v2", ["path_base", "url_path", "path_prefix"], url=f"https://{HOST}/api/v3/orders")
    v2("query in the URL", ["url_query"], url=f"https://{HOST}/api/v2/orders?{QUERY}")
    v2("no method", ["piece_missing"], "method", shown_method="")
    v2("method in lower case", ["method_case"], shown_method="get")
    v2("not sorted", ["query_unsorted"], sort=False)
    v2("encoded once", ["query_encoded_once"], encode=str)
    v2("not encoded", ["query_encoded_once", "query_encoding"], outer=str)
    v2("lower-case escapes", ["query_lowercase"], outer=lambda t: "".join(c if c in "-_.~" or c.isalnum() else "".join(f"%{b:02x}" for b in c.encode()) for c in t))
    v2("kv_objects", ["value_signed"], text=json.dumps([{n: v} for n, v in sorted(parse_qsl(QUERY))], separators=(",", ":")))
    post("json.dumps", ["body_spaces", "body_escapes", "body_numbers", "body_remade"], params=json.dumps(json.loads(BODY)))
    post("compact", ["body_spaces"], params=BODY.replace(": ", ":").replace(", ", ","))
    post("sorted", ["body_order", "body_remade"], params=json.dumps(json.loads(BODY), sort_keys=True))
    v2("mod L", ["reduced"], number=lambda t: big(sha(t)) % L)
    v2("little-endian", ["hash_reversed"], number=lambda t: int.from_bytes(sha(t), "little") % Q)
    v2("hashed twice", ["hash_twice"], number=lambda t: big(hashlib.sha256(sha(t)).digest()) % Q)
    v2("hash of the hex", ["hash_hex"], number=lambda t: big(hashlib.sha256(sha(t).hex().encode()).digest()) % Q)
    v2("S first", ["parts_order"], written=lambda p: f"{p[2]},{p[0]},{p[1]}")
    v2("53 rounds", ["variant"], partial=53)
    v2("Base8", ["variant", "key_other"], generator=BASE8)
    v2("another key", ["key_other"], key=OTHER)
    v2("no signature", ["part_missing"], "SIG", drop=("X-API-SIG",))
    v2("no API key", ["part_missing"], "KEY", drop=("X-API-KEY",))
    kv = "/api/v2/depth"
    entries = [{"level": "2"}, {"limit": "50"}, {"market": "LRC-ETH"}]
    dump = lambda value, **more: json.dumps(value, separators=(",", ":"), **more)
    asked = dict(path=kv, query="market=LRC-ETH&level=2&limit=50")
    kvs = lambda name, codes, text, **more: row(f"loopring kv: {name}", "kv", client(text=text, **asked), codes, **more)
    kvs("good", [], dump(entries))
    kvs("pairs", ["value_signed"], dump([list(entry.items())[0] for entry in entries]))
    kvs("numbers for strings", ["body_numbers"], '[{"level":2},{"limit":50},{"market":"LRC-ETH"}]')
    kvs("not sorted", ["query_unsorted"], '[{"market":"LRC-ETH"},{"level":"2"},{"limit":"50"}]')
    kvs("spaces", ["body_spaces"], json.dumps(entries))
    kvs("one object", ["body_remade"], dump({"level": "2", "limit": "50", "market": "LRC-ETH"}))


ORDER = {
    "exchangeId": 2, "orderId": 5, "accountId": 1234, "tokenSId": 2, "tokenBId": 3, "amountS": "5000000000000000000",
    "amountB": "15000001", "allOrNone": "false", "validSince": 1582094327, "validUntil": 1587278341, "maxFeeBips": 50,
    "buy": "false", "label": 211,
}


def numbers(order):
    return [int(value == "true") if value in ("true", "false") else int(value) for value in order.values()]


def order(inputs=None, width=14, partial=None, key=KEY, change=None, stale=None, drop=(), style="{}"):
    hashed = poseidon(numbers(ORDER) if inputs is None else inputs, width, partial)
    rx, ry, s = jub_sign(key, hashed)
    body = {**ORDER, "hash": str(hashed if stale is None else stale), "signatureRx": str(rx), "signatureRy": str(ry), "signatureS": str(s)}
    body.update(change or {})
    text = json.dumps({name: value for name, value in body.items() if name not in drop})
    return http("POST", "/api/v2/order", HOST, [API, ("Content-Type", "application/json")], text.encode())


def body(name, codes, words="", **wrong):
    row(f"loopring order: {name}", "order", order(**wrong), codes, words)


def put(**changed):
    return numbers({**ORDER, **changed})


def rows():
    header()
    plain = numbers(ORDER)
    body("good", [])
    body("whole units", ["field_scaled"], "amountS", inputs=put(amountS="5"))
    body("milliseconds", ["field_scaled"], "validUntil", inputs=put(validUntil=ORDER["validUntil"] * 1000))
    body("amounts exchanged", ["fields_swapped"], "amountS", inputs=put(amountS=ORDER["amountB"], amountB=ORDER["amountS"]))
    body("one off", ["field_changed"], "orderId", inputs=put(orderId=6))
    body("a flag", ["field_flag"], "buy", inputs=put(buy="true"))
    body("label left out", ["field_missing"], "label", inputs=plain[:-1])
    body("alphabetical", ["fields_order"], inputs=numbers(dict(sorted(ORDER.items()))))
    body("width 15", ["poseidon", "hash_stale"], width=13 + 2)
    body("52 rounds", ["poseidon"], partial=52)
    body("changed afterwards", ["hash_stale", "field_changed"], change={"amountB": "16000007"})
    body("another key", ["key_other"], key=OTHER)
    body("no hash", ["part_missing"], "hash", drop=("hash",))
    body("a number for a string", ["body_form"], change={"allOrNone": False})
    float_ = "5123456789012345678"
    body("a float", ["field_float"], "amountS", inputs=put(amountS=str(int(float(float_)))), change={"amountS": float_})
    # protocol 3.6: the signature decides
    asked = {
        "exchange": "0x2e76ebd1c7c0c8e7c2b875b6d505a260c525d25e", "storageId": 4, "accountId": 10, "sellToken": {"tokenId": 1, "volume": "1000000000000000000"},
        "buyToken": {"tokenId": 2, "volume": "2500000"}, "validUntil": 1700000000, "maxFeeBips": 50, "fillAmountBOrS": True,
    }
    flat = [int(asked["exchange"], 16), 4, 10, 1, 2, 10**18, 2500000, 1700000000, 50, 1, 0]

    def v36(name, codes, words="", inputs=flat, key=KEY, written=None):
        parts = jub_sign(key, poseidon(inputs, 12))
        plain = "0x" + "".join(f"{part:064x}" for part in parts)
        text = json.dumps({**asked, "eddsaSignature": written(parts) if written else plain})
        request = http("POST", "/api/v3/order", HOST, [API], text.encode())
        row(f"loopring 3.6: {name}", "order36", request, codes, words)

    v36("good", [])
    v36("tokens exchanged", ["fields_swapped"], "tokenId", inputs=flat[:3] + [2, 1] + flat[5:])
    v36("whole units", ["field_scaled"], "volume", inputs=flat[:5] + [1] + flat[6:])
    v36("a flag", ["field_flag"], "fillAmountBOrS", inputs=flat[:9] + [0, 0])
    v36("no fee", ["field_missing"], "maxFeeBips", inputs=flat[:8] + flat[9:])
    v36("another key", ["key_other"], key=OTHER)
    v36("decimal", ["signature_encoding"], "eddsaSignature", written=lambda p: ",".join(map(str, p)))
