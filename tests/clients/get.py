"""Gets a URL as a program does that knows of no proxy.

Arguments: the library, the URL. Prints the status; aiohttp alone has to be told to heed the
environment.
"""

import sys


def requests(url):
    import requests

    return requests.get(url, timeout=60).status_code


def httpx(url):
    import httpx

    return httpx.get(url, timeout=60).status_code


def aiohttp(url):
    import asyncio

    import aiohttp

    async def get():
        async with aiohttp.ClientSession(trust_env=True) as session:
            async with session.get(url) as answer:
                return answer.status

    return asyncio.run(get())


def urllib(url):
    import urllib.request

    return urllib.request.urlopen(url, timeout=60).status


print({f.__name__: f for f in (requests, httpx, aiohttp, urllib)}[sys.argv[1]](sys.argv[2]))
