"""Writes the table of mistakes: into a directory the configuration, its keys and the requests; to
standard output a row of JSON for each. Run as `python -m mistakes DIRECTORY`."""

import json
import os
import sys
from pathlib import Path

from . import cobo, declared, loopring, metasv, sinohope
from .curves import K256, P256
from .table import ROWS

CONFIG = """
[listen]
forward = "127.0.0.1:0"
gateway = "127.0.0.1:0"
[stores.files]
kind = "file"
dir = "keys"
[keys.sinohope]
store = "files"
entry = "sinohope.pem"
[keys.metasv]
store = "files"
entry = "metasv.pem"
[keys.loopring]
store = "files"
entry = "loopring.txt"
algorithm = "eddsa_babyjub"
[keys.node]
store = "files"
entry = "node.pem"
[keys.server]
store = "files"
entry = "server.pem"
[secrets.api_key]
store = "files"
entry = "api_key"
[secrets.infras]
store = "files"
entry = "infras.jwt"
[routes.sinohope]
host = "api.sinohope.com"
scheme = "sinohope"
keys = { signer = "sinohope" }
[routes.metasv]
host = "apiv2.metasv.com"
scheme = "metasv"
keys = { signer = "metasv" }
[routes.node]
host = "callback.example.com"
scheme = "cobo_client"
keys = { signer = "node" }
params.verify_with = "server-public.pem"
[routes.cobo]
scheme = "cobo_callback"
keys = { signer = "server" }
params.verify_with = "node-public.pem"
upstream = "service"
[routes.cobo_issuer]
scheme = "cobo_callback"
keys = { signer = "node" }
params = { verify_with = "server-public.pem", node_issuer = "another-node" }
upstream = "service"
[upstreams.service]
url = "http://127.0.0.1:9"
[routes.infras]
host = "api.infras.online"
scheme = "infras"
secrets = { token = "infras" }
params = { src = "0" }
"""


def loopring_route(name, path, params):
    return f"""
[routes.{name}]
host = "api.loopring.io"
path = "{path}"
scheme = "loopring"
keys = {{ eddsa = "loopring" }}
secrets = {{ api_key = "api_key" }}
params = {{ {params} }}
"""


def main(directory):
    home = Path(directory)
    (home / "keys").mkdir(mode=0o700, exist_ok=True)
    (home / "requests").mkdir(exist_ok=True)
    config = CONFIG
    for name, path, params in [
        ("v2", "/api/v2", 'canonical = "v2"'),
        ("v3", "/api/v3", 'canonical = "v3"'),
        ("kv", "/api/v2/depth", 'canonical = "kv_objects"'),
        ("order", "/api/v2/order", 'canonical = "none", body = "order"'),
        ("order36", "/api/v3/order", 'canonical = "none", body = "order", protocol = "3.6"'),
    ]:
        config += loopring_route(name, path, params)
    files = {
        "keys/sinohope.pem": P256.pem(sinohope.KEY),
        "keys/metasv.pem": K256.pem(metasv.KEY),
        "keys/loopring.txt": str(loopring.KEY),
        "keys/api_key": "test-api-key",
        "keys/infras.jwt": cobo.TOKEN,
        "keys/node.pem": cobo.PEMS["tss_node"]["private_pkcs8_pem"],
        "keys/server.pem": cobo.PEMS["callback_server"]["private_pkcs8_pem"],
        "node-public.pem": cobo.PEMS["tss_node"]["public_spki_pem"],
        "server-public.pem": cobo.PEMS["callback_server"]["public_spki_pem"],
        **declared.files(),
        "proxy.toml": config + declared.config(),
    }
    for name, text in files.items():
        path = home / name
        path.write_text(text)
        os.chmod(path, 0o600)
    for part in (sinohope, metasv, cobo, loopring, declared):
        part.rows()
    for index, row in enumerate(ROWS):
        requests = [row.pop("request"), *row.pop("more", [])]
        row["files"] = []
        earlier = row.pop("earlier", None)
        for at, request in enumerate([*requests, *([earlier] if earlier else [])]):
            path = home / f"requests/{index}-{at}.http"
            path.write_bytes(request)
            if at < len(requests):
                row["files"].append(str(path))
            else:
                row["earlier"] = str(path)
        print(json.dumps(row))


main(sys.argv[1])
