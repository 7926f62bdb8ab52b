"""Sends three requests with requests, which finds the proxy in the environment by itself.

Arguments: URL to GET, URL to POST to, JSON to post, URL to GET.
"""

import sys

import requests


def main(read_url, write_url, body, metasv_url):
    session = requests.Session()
    json = {"Content-Type": "application/json"}
    answers = [
        session.get(read_url, timeout=60),
        session.post(write_url, data=body.encode(), headers=json, timeout=60),
        session.get(metasv_url, timeout=60),
    ]
    for answer in answers:
        print(answer.status_code)
        if answer.status_code != 200:
            print(answer.text, file=sys.stderr)
    return any(answer.status_code != 200 for answer in answers)


sys.exit(main(*sys.argv[1:]))
