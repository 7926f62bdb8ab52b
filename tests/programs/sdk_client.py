"""Calls providers with their own libraries, as they come from PyPI, and dummy credentials.

python-binance, coinbase-advanced-py and boto3 heed the environment; cobo_waas2 ignores it, and has
`proxy` and `ssl_ca_cert` in its configuration. Prints a line for each request that was answered.
"""

import os
import sys

import boto3
import cobo_waas2
from binance.client import Client
from coinbase.rest import RESTClient
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


def said(name, call):
    try:
        call()
    except Exception as error:  # What an answer of the stand-in lacks is not what is tried here.
        print(name, repr(error), file=sys.stderr)
    print(name)


def binance():
    client = Client("dummy", "dummy", tld="us", ping=False)
    said("binance GET", lambda: client.get_account(recvWindow=5000))
    said("binance POST", lambda: client.create_order(symbol="LTCBTC", side="BUY", type="MARKET", quantity=1))
    said("binance DELETE", lambda: client.cancel_order(symbol="LTCBTC", orderId=1))


def coinbase():
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    client = RESTClient(api_key="organizations/dummy/apiKeys/dummy", api_secret=key.decode())
    said("coinbase GET", lambda: client.get_accounts(limit=3))
    said("coinbase POST", lambda: client.market_order_buy("a", "BTC-USD", quote_size="1"))


def cobo():
    configuration = cobo_waas2.Configuration(
        api_private_key="11" * 32, host="https://api.cobo.com/v2", ssl_ca_cert=os.environ["SSL_CERT_FILE"])
    configuration.proxy = os.environ["HTTPS_PROXY"]
    with cobo_waas2.ApiClient(configuration) as client:
        wallets = cobo_waas2.WalletsApi(client)
        said("cobo GET", lambda: wallets.list_supported_chains(chain_ids="BTC,ETH", limit=10))
        body = cobo_waas2.CreateWalletParams(cobo_waas2.CreateCustodialWalletParams(
            name="a wallet", wallet_type="Custodial", wallet_subtype="Asset"))
        said("cobo POST", lambda: wallets.create_wallet(create_wallet_params=body))


def aws():
    make = lambda name: boto3.client(name, region_name="eu-west-1", aws_access_key_id="dummy",
                                     aws_secret_access_key="dummy", aws_session_token="dummy")
    # moto refuses what is not signed: that these return is the proof.
    print("sts", make("sts").get_caller_identity()["Arn"])
    print("dynamodb", make("dynamodb").list_tables()["TableNames"])
    s3 = make("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="bucket", Key="a b/c+d", Body=b"content", Metadata={"a": "1"})
    print("s3", s3.get_object(Bucket="bucket", Key="a b/c+d")["Body"].read())
    print("s3", [one["Key"] for one in s3.list_objects_v2(Bucket="bucket", Prefix="a b/")["Contents"]])


for program in (binance, coinbase, cobo, aws):
    program()
