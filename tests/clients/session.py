"""Opens a WebSocket with websockets, which finds proxy and authority by itself.

Says one thing, prints what comes back, closes with a code of its own and prints the one it gets.
"""

import asyncio
import sys

import websockets


async def main(url):
    async with websockets.connect(url) as socket:
        await socket.send("the first round")
        print(await socket.recv())
        await socket.close(4001, "success")
        print(socket.close_code)


asyncio.run(main(sys.argv[1]))
