"""Declared schemes of the catalogue: wrong client code, one mistake each."""

import base64
import hashlib
import hmac
import json
from urllib.parse import parse_qsl, quote, unquote

from .table import http, row

NOW = 1764337800123
ISO = "2025-11-28T13:50:00.123Z"
SECRET = "SecretSecretSecretSecretSecret12"
KRAKEN = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="


def mac(text, secret=SECRET, name="sha256", key=None):
    text = text if isinstance(text, bytes) else text.encode()
    return hmac.new(secret.encode() if key is None else key, text, name)


def hexed(m):
    return m.hexdigest()


def b64(m):
    return base64.b64encode(m.digest()).decode()


def binance(query="symbol=LTCBTC&side=BUY&quantity=1", text=None, write=hexed, stamp=None, secret=SECRET, name="sha256", header=True,
            method="POST", body="", key=None):
    query = f"{query}&timestamp={stamp or NOW}"
    text = (query + body) if text is None else text(query)
    signature = write(mac(text, secret, name, key))
    headers = [("X-MBX-APIKEY", "theApiKey")] if header else []
    return http(method, f"/api/v3/order?{query}&signature={signature}", "api.binance.com", headers, body.encode())


def okx(target="/api/v5/account/balance?ccy=BTC%2CETH", method="GET", body="", text="{time}{method}{target}{body}", write=b64, time=ISO,
        signed=None, shown=None, drop=(), secret=SECRET, key=None, sent=None, name="sha256"):
    values = {"time": time, "method": method, "target": target, "body": body, "path": target.split("?")[0]}
    values.update(signed or {})
    headers = [
        ("OK-ACCESS-KEY", "theApiKey"), ("OK-ACCESS-PASSPHRASE", "Pass phrase"), ("OK-ACCESS-TIMESTAMP", shown or time),
        ("OK-ACCESS-SIGN", write(mac(text.format(**values), secret, name, key))),
    ]
    return http(method, target, "www.okx.com", [h for h in headers if h[0] not in drop], (sent if sent is not None else body).encode())


def kraken(text=None, key=None, write=b64, name="sha512"):
    path, nonce = "/0/private/AddOrder", "1764337800123"
    body = f"nonce={nonce}&ordertype=limit&pair=XBTUSD&price=37500"
    text = path.encode() + hashlib.sha256((nonce + body).encode()).digest() if text is None else text(path, nonce, body)
    key = base64.b64decode(KRAKEN) if key is None else key
    headers = [("API-Key", "theApiKey"), ("API-Sign", write(mac(text, name=name, key=key))), ("Content-Type", "application/x-www-form-urlencoded")]
    return http("POST", path, "api.kraken.com", headers, body.encode())


def gate(query="currency_pair=BTC_USDT&note=a%20b", text=None, body="", method="GET", stamp=None):
    path, stamp = "/api/v4/spot/orders", stamp or str(NOW // 1000)
    digest = hashlib.sha512(body.encode()).hexdigest()
    values = dict(method=method, path=path, query=unquote(query), raw=query, digest=digest, time=stamp, body=body)
    text = (text or "{method}\n{path}\n{query}\n{digest}\n{time}").format(**values)
    headers = [("KEY", "theApiKey"), ("Timestamp", stamp), ("SIGN", mac(text, name="sha512").hexdigest())]
    return http(method, f"{path}?{query}", "api.gateio.ws", headers, body.encode())


def files():
    return {"keys/text.secret": SECRET, "keys/kraken.secret": KRAKEN, "keys/the_key": "theApiKey", "keys/passphrase": "Pass phrase"}


def config():
    out = ""
    for entry, name in [("the_key", "the_key"), ("passphrase", "passphrase")]:
        out += f'[secrets.{name}]\nstore = "files"\nentry = "{entry}"\n'
    for name, algorithm, entry in [("mac256", "hmac_sha256", "text"), ("mac512", "hmac_sha512", "text")]:
        out += f'[keys.{name}]\nstore = "files"\nentry = "{entry}.secret"\nalgorithm = "{algorithm}"\n'
    out += '[keys.kraken]\nstore = "files"\nentry = "kraken.secret"\nalgorithm = "hmac_sha512"\nencoding = "base64"\n'
    for name, host, key, secrets in [
        ("binance", "api.binance.com", "mac256", 'api_key = "the_key"'),
        ("okx", "www.okx.com", "mac256", 'api_key = "the_key", passphrase = "passphrase"'),
        ("kraken", "api.kraken.com", "kraken", 'api_key = "the_key"'),
        ("gate", "api.gateio.ws", "mac512", 'api_key = "the_key"'),
    ]:
        out += f'[routes.{name}]\nhost = "{host}"\nscheme = "{name}"\nkeys = {{ signer = "{key}" }}\nsecrets = {{ {secrets} }}\n'
    return out


def rows():
    add = lambda scheme, name, request, codes, words="", **more: row(f"{scheme}: {name}", scheme, request, codes, words, **more)
    add("binance", "good", binance(), [])
    add("binance", "query sorted", binance(text=lambda q: "&".join(sorted(q.split("&")))), ["query_sorted"])
    add("binance", "decoded", binance(query="note=a%20b%2Fc&side=BUY", text=lambda q: unquote(q)), ["query_decoded"])
    add("binance", "base64", binance(write=b64), ["signature_encoding"])
    add("binance", "capitals", binance(write=lambda m: m.hexdigest().upper()), ["signature_encoding"])
    add("binance", "SHA-512", binance(name="sha512"), ["mac_other", "signature_cut", "part_form"])
    add("binance", "seconds", binance(stamp=NOW // 1000), ["time_seconds", "time_unit"])
    add("binance", "another secret", binance(secret="another"), ["key_other"])
    add("binance", "a line end behind the secret", binance(secret=SECRET + "\n"), ["secret_space"])
    add("binance", "no timestamp signed", binance(text=lambda q: q[: q.index("&timestamp")]), ["value_signed", "piece_missing", "query_missing"])
    add("binance", "no key", binance(header=False), ["part_missing"], "APIKEY")
    add("binance", "late", binance(), ["clock_behind"], at=NOW + 900_000)
    add("okx", "good", okx(), [])
    add("okx", "path without query", okx(text="{time}{method}{path}{body}"), ["query_missing"])
    add("okx", "decoded", okx(signed={"target": "/api/v5/account/balance?ccy=BTC,ETH"}), ["query_decoded"])
    add("okx", "lower-case method", okx(signed={"method": "get"}), ["method_case"])
    add("okx", "no method", okx(text="{time}{target}{body}"), ["piece_missing"], "method")
    add("okx", "exchanged", okx(text="{method}{time}{target}{body}"), ["pieces_swapped"])
    add("okx", "hex", okx(write=hexed), ["signature_encoding"])
    add("okx", "epoch signed", okx(signed={"time": str(NOW)}), ["time_signed_seconds", "time_written"])
    add("okx", "epoch sent", okx(time=str(NOW)), ["time_form", "part_form", "time_unit"])
    add("okx", "clock read twice", okx(signed={"time": "2025-11-28T13:50:00.125Z"}), ["time_other"])
    add("okx", "host in front", okx(signed={"target": "https://www.okx.com/api/v5/account/balance?ccy=BTC%2CETH"}), ["path_url"])
    order = '{"instId": "BTC-USDT", "sz": "2", "note": "é"}'
    post = dict(method="POST", target="/api/v5/trade/order")
    add("okx", "good POST", okx(body=order, **post), [])
    add("okx", "json.dumps", okx(body=json.dumps(json.loads(order)), sent=order, **post), ["body_escapes"])
    add("okx", "compact", okx(body=order.replace(": ", ":").replace(", ", ","), sent=order, **post), ["body_spaces"])
    add("okx", "no body signed", okx(body=order, signed={"body": ""}, **post), ["body_missing", "piece_missing"])
    add("okx", "str(dict)", okx(body=str(json.loads(order)), sent=order, **post), ["body_printed"])
    add("okx", "no passphrase", okx(drop=("OK-ACCESS-PASSPHRASE",)), ["part_missing"], "PASSPHRASE")
    add("okx", "secret decoded", okx(key=base64.b64decode(SECRET)), ["secret_decoded"])
    add("kraken", "good", kraken(), [])
    add("kraken", "secret not decoded", kraken(key=KRAKEN.encode()), ["secret_encoded"])
    add("kraken", "SHA-256 in hex", kraken(lambda p, n, b: p + hashlib.sha256((n + b).encode()).hexdigest()), ["hash_hex"])
    add("kraken", "no SHA-256", kraken(lambda p, n, b: p + n + b), ["hash_once"])
    add("kraken", "no nonce", kraken(lambda p, n, b: p.encode() + hashlib.sha256(b.encode()).digest()), ["piece_missing"], "nonce")
    add("kraken", "without /0", kraken(lambda p, n, b: p[2:].encode() + hashlib.sha256((n + b).encode()).digest()), ["path_prefix"])
    add("kraken", "hex", kraken(write=hexed), ["signature_encoding"])
    add("kraken", "SHA-256 MAC", kraken(name="sha256"), ["mac_other", "signature_cut", "part_form"])
    add("gate", "good", gate(), [])
    add("gate", "query as sent", gate(text="{method}\n{path}\n{raw}\n{digest}\n{time}"), ["query_as_sent", "query_encoding"])
    add("gate", "no line ends", gate(text="{method}{path}{query}{digest}{time}"), ["separator"])
    add("gate", "body unhashed", gate(method="POST", body='{"a":"1"}', text="{method}\n{path}\n{query}\n{body}\n{time}"), ["hash_once"])
    add("gate", "milliseconds", gate(stamp=str(NOW)), ["time_unit"])
    add("gate", "seconds read twice", gate(text="{method}\n{path}\n{query}\n{digest}\n" + str(NOW // 1000 - 1)), ["time_other"])
