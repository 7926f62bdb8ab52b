"""Opens a WebSocket with aiohttp, which has to be told to heed the environment.

Says one thing, prints what comes back, closes with a code of its own and prints the one it gets.
"""

import asyncio
import sys

import aiohttp


async def main(url):
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.ws_connect(url) as socket:
            await socket.send_str("the first round")
            print(await socket.receive_str())
            await socket.close(code=4001, message=b"success")
            print(socket.close_code)


asyncio.run(main(sys.argv[1]))
