"""Opens WebSockets as a program does that knows of no proxy, one after the other.

On each: says one thing, prints what comes back, closes with a code of its own and prints the one it
gets. Arguments: the library, the URLs.
"""

import asyncio
import sys

FIRST = "the first round"


async def websockets(url):
    import websockets

    async with websockets.connect(url) as socket:
        await socket.send(FIRST)
        print(await socket.recv())
        await socket.close(4001, "success")
        print(socket.close_code)


async def aiohttp(url):
    import aiohttp

    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.ws_connect(url) as socket:
            await socket.send_str(FIRST)
            print(await socket.receive_str())
            await socket.close(code=4001, message=b"success")
            print(socket.close_code)


async def websocket_client(url):
    import websocket

    socket = websocket.create_connection(url, timeout=60)
    socket.send(FIRST)
    print(socket.recv())
    socket.send_close(4001, b"success")
    # The frame begins with the code.
    print(int.from_bytes(socket.recv_data()[1][:2], "big"))


async def main(library, *urls):
    converse = {f.__name__: f for f in (websockets, aiohttp, websocket_client)}[library]
    for url in urls:
        try:
            await converse(url)
        except Exception as error:
            print(f"{url}: {error!r}")


asyncio.run(main(*sys.argv[1:]))
