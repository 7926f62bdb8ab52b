"""Plays a Cobo TSS node with PyJWT: seals a request, posts it, opens the answer.

Arguments: URL, file with the node's key, file with the server's public key, the request in JSON.
Prints the answer's JSON; ends with an error where a node would not believe it.
"""

import base64
import json
import sys
import time

import jwt
import requests


def main(url, key, server, request):
    claims = {
        "package_data": base64.b64encode(request.encode()).decode(),
        "exp": int(time.time()) + 120,
        "iss": "node",
    }
    token = jwt.encode(claims, open(key).read(), algorithm="RS256")
    session = requests.Session()
    session.trust_env = False
    answer = session.post(url, data={"TSS_JWT_MSG": token}, timeout=10)
    answer.raise_for_status()
    text = answer.text.strip().strip('"')
    claims = jwt.decode(text, open(server).read(), algorithms=["RS256"], options={"require": ["exp"]})
    said = json.loads(base64.b64decode(claims["package_data"], validate=True))
    asked = json.loads(request)
    assert said["request_id"] == asked["request_id"], said
    print(json.dumps(said, sort_keys=True))


main(*sys.argv[1:])
