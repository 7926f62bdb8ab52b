#!/usr/bin/env python3
"""How long a client waits beside those who mean harm, and what bodies take of memory.

    bench/availability.py PROGRAM...

Each program is run with the same configuration: 64 connections, two clients with tokens, bodies of
1 MiB at most. The provider is a stand-in that answers at once. Everybody is on loopback.
"""
import asyncio, hashlib, os, re, secrets, subprocess, sys, tempfile, time

CONFIG = """
[listen]
forward = "127.0.0.1:0"
gateway = "127.0.0.1:0"
admin = "127.0.0.1:0"
[access]
tokens = "tokens"
[limits]
connections = 64
[timeouts]
request_body = "10m"
[stores.files]
kind = "file"
dir = "keys"
[secrets.tokens]
store = "files"
entry = "tokens"
[keys.signer]
store = "files"
entry = "key.hex"
algorithm = "ecdsa_p256"
[routes.sinohope]
host = "api.sinohope.com"
scheme = "sinohope"
keys = { signer = "signer" }
upstream = "origin"
[upstreams.origin]
url = "http://127.0.0.1:PORT"
"""
PATIENCE = 60


class Proxy:
    def __init__(self, program, port):
        self.home = tempfile.TemporaryDirectory()
        keys = os.path.join(self.home.name, "keys")
        os.mkdir(keys, 0o700)
        token = lambda name: f"{name}:{hashlib.sha256(name.encode()).hexdigest()}\n"
        for name, text in [("keys/tokens", token("app") + token("bot")),
                           ("keys/key.hex", secrets.token_hex(31).rjust(64, "0")),
                           ("proxy.toml", CONFIG.replace("PORT", str(port)))]:
            path = os.path.join(self.home.name, name)
            with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
                file.write(text)
        environment = dict(os.environ, XDG_STATE_HOME=self.home.name)
        self.process = subprocess.Popen([program, "run", "proxy.toml"], cwd=self.home.name, text=True,
                                        env=environment, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.ports = {}
        for line in self.process.stdout:
            found = re.match(r"(forward|gateway|admin)\s+http://127.0.0.1:(\d+)", line)
            if found:
                self.ports[found[1]] = int(found[2])
            if line.strip() == "ready":
                break

    def memory(self, line):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(line + r":\s+(\d+)", status.read())[1]) / 1024

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


async def ask(port, request):
    """Seconds from connecting to the head of an answer, and the head."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            writer.close()
    except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
        head = type(error).__name__.encode()
    return time.monotonic() - began, head.split(b"\r\n")[0].decode()


async def silent(port):
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await reader.read()
            writer.close()
        except OSError:
            await asyncio.sleep(0.01)


def wrong(pause):
    async def stranger(port):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                while True:
                    writer.write(request("wrong"))
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
                    await asyncio.sleep(pause)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0)
    return stranger


def request(token):
    return (f"GET http://api.sinohope.com/x HTTP/1.1\r\nHost: h\r\n"
            f"Proxy-Authorization: Bearer {token}\r\n\r\n").encode()


async def beside(count, stranger, port, asked, asks=5):
    crowd = [asyncio.create_task(stranger(port)) for _ in range(count)]
    await asyncio.sleep(2)
    waits = [await ask(port, asked) for _ in range(asks)]
    for one in crowd:
        one.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    return waits


def literal(name, value):
    text = lambda t: (bytes([len(t)]) if len(t) < 127 else bytes([127, len(t) - 127])) + t.encode()
    return b"\0" + text(name) + text(value)


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


async def streams(port, count, length, refused):
    """So many requests on one connection of HTTP/2, each of whose bodies lacks its last byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
    left, windows, connection = {}, {}, 65535
    for stream in range(1, 2 * count, 2):
        head = [(":method", "POST"), (":scheme", "http"), (":authority", f"127.0.0.1:{port}"),
                (":path", "/sinohope/x"), ("content-length", str(length)), ("countersign-token", "app")]
        writer.write(frame(1, 4, stream, b"".join(literal(*field) for field in head)))
        left[stream], windows[stream] = length - 1, 65535
    initial = 65535
    while True:
        for stream in list(left):
            while (part := min(16384, left[stream], windows[stream], connection)) > 0:
                writer.write(frame(0, 0, stream, b"x" * part))
                left[stream] -= part
                windows[stream] -= part
                connection -= part
            if left[stream] == 0:
                del left[stream]
        await writer.drain()
        if not left:
            return writer
        size = int.from_bytes(await reader.readexactly(3), "big")
        kind, flags, stream = (lambda h: (h[0], h[1], int.from_bytes(h[2:], "big")))(await reader.readexactly(6))
        payload = await reader.readexactly(size)
        if kind == 4 and not flags & 1:
            for at in range(0, size, 6):
                if payload[at:at + 2] == b"\0\4":
                    value = int.from_bytes(payload[at + 2:at + 6], "big")
                    windows = {s: w + value - initial for s, w in windows.items()}
                    initial = value
            writer.write(frame(4, 1, 0, b""))
        elif kind == 6 and not flags & 1:
            writer.write(frame(6, 1, 0, payload))
        elif kind == 8 and stream == 0:
            connection += int.from_bytes(payload, "big")
        elif kind == 8:
            windows[stream] += int.from_bytes(payload, "big")
        elif kind in (1, 3) and stream in left:
            refused.append(stream)
            del left[stream]


async def bodies(proxy):
    before, refused = proxy.memory("VmRSS"), []
    held = [asyncio.create_task(streams(proxy.ports["gateway"], 100, 1 << 20, refused)) for _ in range(12)]
    done, waiting = await asyncio.wait(held, timeout=300)
    body = (f"POST http://api.sinohope.com/x HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Bearer bot\r\n"
            f"Content-Length: 10240\r\n\r\n").encode() + b"x" * 10240
    waits = [await ask(proxy.ports["forward"], body) for _ in range(5)]
    print(f"  1,200 bodies of 1 MiB on 12 connections: RSS {before:.0f} -> peak {proxy.memory('VmHWM'):.0f} MiB, "
          f"{len(refused)} refused, {len(waiting)} connections unfinished; another client's 10 KiB: {shown(waits)}")


def shown(waits):
    return ", ".join(f"{seconds:.3f} s {line!r}" for seconds, line in waits)


async def origin(reader, writer):
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = re.search(rb"(?i)content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        writer.close()


async def main():
    server = await asyncio.start_server(origin, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for program in sys.argv[1:]:
        print(program, flush=True)
        health = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for what, listener, count, stranger, asked in [
                ("nobody", "forward", 0, silent, request("app")),
                ("80 silent", "forward", 80, silent, request("app")),
                ("80 with wrong tokens, each second", "forward", 80, wrong(1), request("app")),
                ("80 with wrong tokens, at once again", "forward", 80, wrong(0), request("app")),
                ("40 silent, /healthz", "admin", 40, silent, health)]:
            proxy = Proxy(program, port)
            waits = await beside(count, stranger, proxy.ports[listener], asked)
            print(f"  {what}: {shown(waits)}", flush=True)
            proxy.stop()
        proxy = Proxy(program, port)
        await bodies(proxy)
        proxy.stop()


asyncio.run(main())
