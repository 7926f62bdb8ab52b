"""Calls every venue of the table with ccxt as it comes from PyPI, and dummy credentials.

ccxt ignores the environment's proxy unless `requests_trust_env` says otherwise, and its
asynchronous half needs `aiohttp_trust_env` and `cafile`: these are all the settings there are.
Prints a line for each request; the origin says whether it was signed.
"""

import asyncio
import os
import sys

import ccxt
import ccxt.async_support

from venues import VENUES


def main():
    for venue in VENUES:
        exchange = venue.exchange(ccxt, right=False)
        exchange.requests_trust_env = True
        exchange.session.trust_env = True
        for path, api, method, params in venue.calls:
            try:
                exchange.request(path, api, method, dict(params))
            except ccxt.BaseError as error:
                # What a venue answers is not played here; that it answered 200 is said below.
                print(error, file=sys.stderr)
            print(venue.name, method, path)


async def asynchronous():
    for venue in VENUES[:3]:
        exchange = venue.exchange(ccxt.async_support, right=False)
        exchange.aiohttp_trust_env = True
        exchange.cafile = os.environ["SSL_CERT_FILE"]
        try:
            for path, api, method, params in venue.calls:
                try:
                    await exchange.request(path, api, method, dict(params))
                except ccxt.BaseError as error:
                    print(error, file=sys.stderr)
                print(venue.name, method, path, "asynchronous")
        finally:
            await exchange.close()


main()
asyncio.run(asynchronous())
