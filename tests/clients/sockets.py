"""Opens a WebSocket with a library that has to be told of its proxy.

Arguments: the library, the URL, the proxy's host and port, the file of an authority to trust. Says
one thing and prints what comes back.
"""

import ssl
import sys


def aiohttp(url, host, port, ca):
    import asyncio

    import aiohttp

    async def talk():
        # It asks for ws:// as it was given, in absolute form, and for wss:// with CONNECT.
        tls = ssl.create_default_context(cafile=ca)
        async with aiohttp.ClientSession() as session:
            proxy = f"http://{host}:{port}"
            async with session.ws_connect(url, proxy=proxy, ssl=tls) as socket:
                await socket.send_str("the first round")
                return await socket.receive_str()

    return asyncio.run(talk())


def websocket(url, host, port, ca):
    import websocket

    # It sends an Origin of its own: the host that it calls.
    socket = websocket.create_connection(
        url, http_proxy_host=host, http_proxy_port=port, proxy_type="http",
        sslopt={"ca_certs": ca}, timeout=60,
    )
    socket.send("the first round")
    said = socket.recv()
    socket.close()
    return said


library, url, host, port, ca = sys.argv[1:]
print({f.__name__: f for f in (aiohttp, websocket)}[library](url, host, int(port), ca))
