"""Judges a request by signing the same call with ccxt's own code and the right secret."""

import base64
import datetime
import hashlib
import hmac
import json
import re
import time
from urllib.parse import parse_qsl, urlsplit

import ccxt

from venues import VENUES

# Signed with a key of ccxt's own over the program's clock: they must not arrive.
STRIPPED = {"KC-API-PARTNER", "KC-API-PARTNER-SIGN", "KC-API-PARTNER-VERIFY"}


def judge(request):
    """Why the venue would refuse the request; nothing where it would not."""
    venue = next((venue for venue in VENUES if venue.host == request.host), None)
    if venue is None:
        return f"no venue has the host {request.host}"
    reasons = []
    for call in venue.calls:
        if call[2] == request.method:
            reason = compare(request, signed(venue, call, request))
            if reason is None:
                return None
            reasons.append(reason)
    return "; ".join(reasons) or "no such call"


def signed(venue, call, request):
    exchange = venue.exchange(ccxt, right=True)
    milliseconds = int(time.time() * 1000)
    if venue.time is not None:
        milliseconds = instant(look(request, venue.time))
    exchange.milliseconds = lambda: milliseconds
    exchange.seconds = lambda: milliseconds // 1000
    exchange.nonce = lambda: milliseconds // (1000 if venue.name == "coinbaseexchange" else 1)
    if venue.nonce is not None:
        nonce = look(request, venue.nonce)
        exchange.uuid = lambda *_: nonce
        if venue.name == "deribit":
            exchange.nonce = lambda: nonce
    if venue.name == "cryptocom":
        # The program's own id, which is the scheme's to sign and not to change.
        claimed = json.loads(request.body)["id"]
    path, api, method, params = call
    result = exchange.sign(path, api, method, dict(params))
    if venue.name == "cryptocom":
        result["body"] = with_id(exchange, result["body"], claimed)
    fresh = abs(milliseconds / 1000 - time.time())
    assert fresh < 60, f"the time is off by {fresh} s"
    return result


def with_id(exchange, body, claimed):
    body = json.loads(body)
    params = exchange.params_to_string(body["params"], 0)
    text = body["method"] + claimed + exchange.apiKey + params + body["nonce"]
    signature = hmac.new(exchange.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return json.dumps(body | {"id": claimed, "sig": signature}, separators=(",", ":"))


def compare(request, expected):
    url = urlsplit(expected["url"])
    target = url.path + ("?" + url.query if url.query else "")
    if request.target != target:
        return f"target {request.target}, and ccxt has {target}"
    body = expected["body"] or ""
    if request.body.decode() != body:
        return f"body {request.body.decode()}, and ccxt has {body}"
    for name, value in (expected["headers"] or {}).items():
        found = request.headers.get_all(name, [])
        # Which are requests' own on the wire.
        if name in ("Accept", "User-Agent"):
            continue
        if name in STRIPPED:
            if found:
                return f"{name} must not arrive"
        elif found != [str(value)]:
            return f"{name} is {found}, and ccxt has {value}"
    return None


def look(request, where):
    """The text that stands at this place of a request."""
    kind, name = where
    if kind == "header":
        return request.headers[name]
    if kind == "field":
        fields = parse_qsl(urlsplit(request.target).query) + parse_qsl(request.body.decode())
        return dict(fields)[name]
    if kind == "member":
        return json.loads(request.body)[name]
    if kind == "payload":
        return json.loads(base64.b64decode(request.headers[name]))["nonce"]
    if kind == "part":
        return re.search(rf"[ ,]{name}=([^,]*)", request.headers["Authorization"])[1]
    claims = request.headers["Authorization"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))[name]


def instant(text):
    """Milliseconds since 1970, from any form that a venue has."""
    if text.isdigit():
        return int(text) * (1000 if len(text) == 10 else 1)
    read = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round(read.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)
