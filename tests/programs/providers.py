"""The other providers of the origin: python-binance, coinbase-advanced-py, cobo_waas2 and boto3.

Each judge uses the provider's own library, or what is in it, with the right key.
"""

import os
import time
from urllib.parse import parse_qsl, urlsplit

import jwt
from binance.client import Client
from coinbase import jwt_generator
from cobo_waas2.crypto.signing_helper import SignHelper
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

# Test only.
BINANCE = ("us-key", "SecretOfBinanceUs")
COINBASE_NAME = "organizations/1/apiKeys/2"
COINBASE = ec.derive_private_key(0x5A1D4F8A2C3E5F70, ec.SECP256R1())
COBO = bytes(range(1, 33))
REGION = "eu-west-1"

ANSWERS = {}


def binance(request):
    fields = urlsplit(request.target).query
    body = request.body.decode()
    if fields and body:
        return "fields in the query and in the form"
    fields = dict(parse_qsl(fields or body))
    claimed = fields.pop("signature")
    client = Client(*BINANCE, tld="us", ping=False)
    if client._generate_signature(fields) != claimed:
        return "the signature is another one"
    if abs(int(fields["timestamp"]) / 1000 - time.time()) > 60:
        return "the time is off"
    if request.headers.get_all("X-MBX-APIKEY") != [BINANCE[0]]:
        return "the key is another one"
    return None


def coinbase(request):
    scheme, token = request.headers["Authorization"].split()
    claims = jwt.decode(token, COINBASE.public_key(), algorithms=["ES256"])
    header = jwt.get_unverified_header(token)
    uri = jwt_generator.format_jwt_uri(request.method, urlsplit(request.target).path)
    ours = jwt_generator.build_rest_jwt(uri, COINBASE_NAME, pem(COINBASE))
    wanted, theirs = jwt.decode(ours, options={"verify_signature": False}), jwt.get_unverified_header(ours)
    if {**claims, "nbf": 0, "exp": 0} != {**wanted, "nbf": 0, "exp": 0}:
        return f"the claims are {claims}"
    if abs(claims["nbf"] - wanted["nbf"]) > 60 or claims["exp"] - claims["nbf"] != 120:
        return f"the time is off: {claims}"
    if {**header, "nonce": ""} != {**theirs, "nonce": ""} or scheme != "Bearer":
        return f"the header is {header}"
    return None


def cobo(request):
    url = urlsplit(request.target)
    stamp, key = request.headers["Biz-Api-Nonce"], ed25519.Ed25519PrivateKey.from_private_bytes(COBO)
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    if request.headers["Biz-Api-Key"] != public.hex():
        return "the key is another one"
    digest = SignHelper._build_unsigned_digest(
        request.method, url.path, stamp, dict(parse_qsl(url.query)), request.body)
    key.public_key().verify(bytes.fromhex(request.headers["Biz-Api-Signature"]), digest)
    return None if abs(int(stamp) / 1000 - time.time()) < 60 else "the time is off"


JUDGES = {"api.binance.us": binance, "api.coinbase.com": coinbase, "api.cobo.com": cobo}


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def tables(directory, key, secret, table):
    """Keys, secrets and routes of these providers, and the upstream of moto."""
    def route(name, host, scheme, **lines):
        lines = {"host": host, "scheme": scheme, "keys": {"signer": name}, "upstream": "origin"} | lines
        return table(f"routes.{name}" if name != "aws" else f"routes.{scheme}_{len(host)}", lines)

    text = key(directory, "binance_us", BINANCE[1], "hmac_sha256") + secret(directory, "binance_us", BINANCE[0])
    text += route("binance_us", "api.binance.us", "binance", secrets={"api_key": "binance_us"})
    text += key(directory, "coinbase", pem(COINBASE), "ecdsa_p256") + secret(directory, "coinbase", COINBASE_NAME)
    text += route("coinbase", "api.coinbase.com", "coinbase", secrets={"key_name": "coinbase"})
    text += key(directory, "cobo", COBO.hex(), "ed25519")
    text += route("cobo", "api.cobo.com", "cobo_waas2")
    port, access, private = moto()
    text += key(directory, "aws", private, "hmac_sha256") + secret(directory, "aws", access)
    text += table("upstreams.moto", {"url": f"http://127.0.0.1:{port}"})
    for host, service in (("sts.eu-west-1.amazonaws.com", "sts"), ("dynamodb.eu-west-1.amazonaws.com", "dynamodb")):
        text += route("aws", host, "aws_sigv4", secrets={"access_key": "aws"}, upstream="moto",
                      params={"region": REGION, "service": service})
    for host in ("s3.eu-west-1.amazonaws.com", "*.s3.eu-west-1.amazonaws.com"):
        text += route("aws", host, "aws_s3_unsigned", secrets={"access_key": "aws"}, upstream="moto",
                      params={"region": REGION})
    return text


def moto():
    """Starts moto, which verifies signatures after three requests; a user with a key."""
    os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    iam = boto3.client("iam", endpoint_url=f"http://127.0.0.1:{port}", region_name=REGION,
                       aws_access_key_id="any", aws_secret_access_key="any")
    iam.create_user(UserName="u")
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=policy)
    made = iam.create_access_key(UserName="u")["AccessKey"]
    return port, made["AccessKeyId"], made["SecretAccessKey"]
