"""moto's KMS on a free port: prints its URL, a user's credentials, and the ids of a P-256, a secp256k1,
an RSA and an HMAC key; ends with its input. From the fourth call on it verifies signatures."""

import os
import sys

# Asks for: the user, its policy, its access key; everything after that is signed by it.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://127.0.0.1:{port}"


def client(service, key, secret):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


iam = client("iam", "none", "none")
iam.create_user(UserName="signer")
policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'
iam.put_user_policy(UserName="signer", PolicyName="kms", PolicyDocument=policy)
key = iam.create_access_key(UserName="signer")["AccessKey"]
kms = client("kms", key["AccessKeyId"], key["SecretAccessKey"])
ids = []
for spec, usage in [
    ("ECC_NIST_P256", "SIGN_VERIFY"),
    ("ECC_SECG_P256K1", "SIGN_VERIFY"),
    ("RSA_2048", "SIGN_VERIFY"),
    ("HMAC_256", "GENERATE_VERIFY_MAC"),
]:
    made = kms.create_key(KeySpec=spec, KeyUsage=usage)
    ids.append(made["KeyMetadata"]["KeyId"])
print(url)
print(key["AccessKeyId"], key["SecretAccessKey"])
print(*ids, flush=True)
sys.stdin.read()
server.stop()
