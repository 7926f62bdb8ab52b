"""MetaSV: wrong client code, one mistake each."""

import base64
import hashlib

from .curves import K256, P256, der, raw
from .table import http, row

KEY = int.from_bytes(hashlib.sha256(b"mistakes metasv").digest(), "big") % (K256.n - 1) + 1
OTHER = int.from_bytes(hashlib.sha256(b"mistakes metasv, another").digest(), "big") % (K256.n - 1) + 1
HOST, NOW, NONCE = "apiv2.metasv.com", 1764337800456, "0081739254"
PATH = "/tx/9f1c/inputs"


def client(text=None, now=NOW, nonce=NONCE, shown_now=None, shown_nonce=None, path=PATH, query="?sort=asc",
           key=KEY, shown=None, digest=None, written=None, drop=(), curve=K256, method="GET"):
    text = (text or "{path}_{now}_{nonce}").format(path=path, now=now, nonce=nonce, query=query, host=HOST)
    data = text.encode()
    signature = curve.sign(key, digest(data) if digest else hashlib.sha256(data).digest())
    signature = written(signature) if written else base64.b64encode(der(signature)).decode()
    headers = [
        ("MetaSV-Timestamp", shown_now or str(now)),
        ("MetaSV-Client-Pubkey", shown or K256.point(KEY, True).hex()),
        ("MetaSV-Nonce", shown_nonce or nonce),
        ("MetaSV-Signature", signature),
    ]
    return http(method, path + query, HOST, [pair for pair in headers if pair[0] not in drop])


def one(name, codes, words="", extra=None, **wrong):
    row(f"metasv: {name}", "metasv", client(**wrong), codes, words, **(extra or {}))


def rows():
    sha = lambda data: hashlib.sha256(data).digest()
    one("good", [])
    one("good, without a query", [], query="")
    one("query in the path", ["path_query"], text="{path}{query}_{now}_{nonce}")
    one("URL", ["path_url"], text="https://{host}{path}_{now}_{nonce}")
    one("slash at the end", ["path_slash"], text="{path}/_{now}_{nonce}")
    one("no slash in front", ["path_slash"], text="tx/9f1c/inputs_{now}_{nonce}")
    one("method in front", ["method_added"], text="GET_{path}_{now}_{nonce}")
    one("nonce before time", ["pieces_swapped"], text="{path}_{nonce}_{now}")
    one("no nonce", ["piece_missing"], "nonce", text="{path}_{now}")
    one("no separators", ["separator"], text="{path}{now}{nonce}")
    one("dashes", ["separator"], text="{path}-{now}-{nonce}")
    one("a line end", ["newline"], text="{path}_{now}_{nonce}\n")
    one("nonce as a number", ["nonce_written"], text="{path}_{now}_81739254")
    one("clock read twice", ["time_other"], text="{path}_" + str(NOW + 3) + "_{nonce}")
    one("seconds signed", ["time_signed_seconds"], text="{path}_" + str(NOW // 1000) + "_{nonce}")
    one("seconds", ["time_seconds"], now=NOW // 1000)
    one("nine digits", ["part_form"], "Nonce", nonce="817392541")
    one("bsv's double hash", ["hash_twice"], digest=lambda t: sha(sha(t)))
    one("signed message", ["hash_prefix"], digest=lambda t: sha(sha(b"\x18Bitcoin Signed Message:\n" + bytes([len(t)]) + t)))
    one("reversed hash", ["hash_reversed"], digest=lambda t: sha(t)[::-1])
    one("hex", ["signature_encoding"], written=lambda s: der(s).hex())
    one("64 bytes", ["signature_form"], written=lambda s: base64.b64encode(raw(s)).decode())
    one("a compact signature", ["signature_form"], written=lambda s: base64.b64encode(b"\x20" + raw(s)).decode())
    one("another key", ["key_other"], key=OTHER)
    one("another curve", ["curve_other", "key_other"], curve=P256)
    one("an uncompressed key in base64", ["key_form"], shown=base64.b64encode(K256.point(KEY)).decode())
    one("no time stamp", ["part_missing"], "Timestamp", drop=("MetaSV-Timestamp",))
    one("late", ["clock_behind"], extra={"at": NOW + 360_000})
    first, second = client(key=OTHER), client(key=OTHER, nonce="5550001112")
    row("metasv: another key, of two requests", "metasv", first, ["key_other"], more=[second], certainty="proved")
    row("metasv: the nonce of an earlier request", "metasv", client(now=NOW + 9), ["nonce_repeated"], earlier=client())
