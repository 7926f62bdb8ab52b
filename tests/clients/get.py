"""Gets URLs as a program does that knows of no proxy, and posts BODY to each where that is set.

Arguments: the library, the URLs. Prints the statuses, or why there is none; aiohttp alone has to be
told to heed the environment.
"""

import os
import sys

JSON = {"Content-Type": "application/json"}


def requests(method, url, body):
    import requests

    return requests.request(method, url, data=body, headers=JSON, timeout=60).status_code


def httpx(method, url, body):
    import httpx

    return httpx.request(method, url, content=body, headers=JSON, timeout=60).status_code


def aiohttp(method, url, body):
    import asyncio

    import aiohttp

    async def send():
        async with aiohttp.ClientSession(trust_env=True) as session:
            async with session.request(method, url, data=body, headers=JSON) as answer:
                return answer.status

    return asyncio.run(send())


def urllib(method, url, body):
    import urllib.request

    request = urllib.request.Request(url, body, JSON, method=method)
    return urllib.request.urlopen(request, timeout=60).status


def main(library, *urls):
    send = {f.__name__: f for f in (requests, httpx, aiohttp, urllib)}[library]
    bodies = [("GET", None)]
    if "BODY" in os.environ:
        bodies.append(("POST", os.environ["BODY"].encode()))
    for url in urls:
        for method, body in bodies:
            try:
                print(send(method, url, body))
            except Exception as error:
                print(f"{method} {url}: {error!r}")


main(*sys.argv[1:])
