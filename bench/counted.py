#!/usr/bin/env python3
"""What a request costs in figures that do not depend on what else the machine does: user instructions and
allocations (callgrind), and system calls (strace). A stripped program shows no allocations.

    bench/counted.py PROFILE PROGRAM [CASE...]

Each case is run twice, with few requests and with many, and the difference is divided, so that the start
is not in it. One worker, eight connections that are kept, the log on and written to nobody. Ends with an
error where a figure is above its ceiling: who raises one says in the commit what for.
"""
import os, re, secrets, signal, socket, ssl, subprocess, sys, tempfile, threading

# Instructions, allocations and system calls of a request, at most, by profile and case.
CEILINGS = {
    "debug": {
        "unsigned": (204_000, 37, 8),
        "metasv": (770_000, 76, 8),
        "okx": (491_000, 113, 8),
        "intercepted": (787_000, 80, 8),
    },
    "release": {
        "unsigned": (67_500, 0, 8),
        "metasv": (500_000, 0, 8),
        "okx": (177_000, 0, 8),
        "intercepted": (508_000, 0, 8),
    },
    # What scripts/dist makes.
    "dist": {
        "unsigned": (43_500, 0, 8),
        "metasv": (455_000, 0, 8),
        "okx": (127_000, 0, 8),
        "intercepted": (462_000, 0, 8),
    },
}
FEW, MANY, CONNECTIONS = 100, 500, 8
# What Rust asks of its allocator, and C of its own.
ALLOCATIONS = {"__rustc::__rust_alloc", "__rustc::__rust_alloc_zeroed", "__rustc::__rust_realloc",
               "malloc", "calloc", "realloc"}
CONFIG = """
[listen]
forward = "127.0.0.1:0"
admin = "127.0.0.1:0"
[access]
unrouted = "pass"
pass_private = ["127.0.0.0/8"]
[intercept]
ca_cert = "ca.pem"
ca_key = "ca"
[stores.files]
kind = "file"
dir = "."
[secrets.ca]
store = "files"
entry = "ca-key.pem"
[secrets.plain]
store = "files"
entry = "hmac"
[keys.k256]
store = "files"
entry = "k256.hex"
algorithm = "ecdsa_secp256k1"
[keys.hmac]
store = "files"
entry = "hmac"
algorithm = "hmac_sha256"
[routes.metasv]
host = "apiv2.metasv.com"
scheme = "metasv"
keys = { signer = "k256" }
upstream = "origin"
[routes.okx]
host = "www.okx.com"
scheme = "okx"
keys = { signer = "hmac" }
secrets = { api_key = "plain", passphrase = "plain" }
upstream = "origin"
[upstreams.origin]
url = "http://127.0.0.1:PORT"
"""
METASV, OKX = "apiv2.metasv.com", "www.okx.com"
BLOCK = "/block/000000000000000007dded8e2a733c654a006520409cdb0d6cdf642a1328c330"
ORDERS = "/api/v5/trade/batch-orders"
CLIENT = "user-agent: bench/1.0\r\naccept: application/json\r\naccept-language: en\r\nx-trace: 7\r\n"
BODY = "x" * 200
ANSWER = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 200\r\n\r\n{BODY}".encode()


def read(stream, held):
    """The next whole message, framed by its length, or none."""
    while b"\r\n\r\n" not in held:
        more = stream.recv(65536)
        if not more:
            return None
        held += more
    head, rest = bytes(held).split(b"\r\n\r\n", 1)
    length = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
    length = int(length[1]) if length else 0
    while len(rest) < length:
        rest += stream.recv(65536)
    held[:] = rest[length:]
    return head


class Origin:
    """Answers every request alike, and counts those with a signature."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port, self.seen, self.signed = self.listener.getsockname()[1], 0, 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            stream, _ = self.listener.accept()
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(stream,), daemon=True).start()

    def serve(self, stream):
        held = bytearray()
        while (head := read(stream, held)) is not None:
            self.seen += 1
            self.signed += b"-sign" in head.lower()
            stream.sendall(ANSWER)


class Proxy:
    """The program, under a tool that counts or alone, in a directory of its own."""

    def __init__(self, program, tool, port, config=CONFIG, files=(), threads=1):
        self.home = tempfile.TemporaryDirectory()
        self.path = lambda name: os.path.join(self.home.name, name)
        for name, text in [("k256.hex", secrets.token_hex(31).rjust(64, "1")), ("hmac", "Secret" * 4),
                           ("proxy.toml", config.replace("PORT", str(port))), *dict(files).items()]:
            with open(os.open(self.path(name), os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
                file.write(text)
        subprocess.run([program, "ca", "new", "proxy.toml"],
                       cwd=self.home.name, check=True, stdout=subprocess.DEVNULL)
        environment = dict(os.environ, XDG_STATE_HOME=self.home.name)
        environment |= {"TOKIO_WORKER_THREADS": str(threads)} if threads else {}
        self.process = subprocess.Popen(
            [*(part.replace("HOME", self.home.name) for part in tool), program, "run", "proxy.toml"],
            cwd=self.home.name, text=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.ports = {}
        for line in self.process.stdout:
            if found := re.match(r"(forward|admin)\s+http://.*:(\d+)", line):
                self.ports[found[1]] = int(found[2])
            if line.strip() == "ready":
                self.port = self.ports["forward"]
                return
        sys.exit("the proxy ended before it was ready")

    def memory(self):
        """What is resident, in KiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])

    def cpu(self):
        """What its threads have had, in nanoseconds: the scheduler's own count."""
        tasks = f"/proc/{self.process.pid}/task"
        return sum(int(open(f"{tasks}/{task}/schedstat").read().split()[0]) for task in os.listdir(tasks))

    def connect(self, inside):
        stream = socket.create_connection(("127.0.0.1", self.port))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not inside:
            return stream
        stream.sendall(f"CONNECT {METASV}:443 HTTP/1.1\r\nhost: {METASV}:443\r\n\r\n".encode())
        assert read(stream, bytearray()).startswith(b"HTTP/1.1 200"), "CONNECT"
        trust = ssl.create_default_context(cafile=self.path("ca.pem"))
        return trust.wrap_socket(stream, server_hostname=METASV)

    def end(self):
        # strace passes no signal on: the process itself is its child.
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        pids = open(children).read().split() if "strace" in self.process.args[0] else []
        os.kill(int(pids[0]) if pids else self.process.pid, signal.SIGTERM)
        self.process.wait()


def request(case, port):
    if case == "okx":
        body = '{"instId":"BTC-USDT","sz":"1"}, ' * 32
        head = f"POST http://{OKX}{ORDERS} HTTP/1.1\r\nhost: {OKX}\r\n{CLIENT}"
        return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
    host = f"127.0.0.1:{port}" if case == "unsigned" else METASV
    before = "" if case == "intercepted" else f"http://{host}"
    return f"GET {before}{BLOCK} HTTP/1.1\r\nhost: {host}\r\n{CLIENT}\r\n".encode()


def run(program, tool, case, count, config=CONFIG, files=()):
    """So many requests; the directory with what the tool wrote is the caller's to drop."""
    origin = Origin()
    proxy = Proxy(program, tool, origin.port, config, files)
    streams = [(proxy.connect(case == "intercepted"), bytearray()) for _ in range(CONNECTIONS)]
    sent = request(case, origin.port)
    for index in range(count):
        stream, held = streams[index % CONNECTIONS]
        stream.sendall(sent)
        head = read(stream, held)
        assert head and head.startswith(b"HTTP/1.1 200"), head
    expected = (count, 0 if case == "unsigned" else count)
    assert (origin.seen, origin.signed) == expected, (origin.seen, origin.signed)
    proxy.end()
    return proxy


def callgrind(proxy):
    text = open(proxy.path("calls")).read()
    total = int(re.search(r"^(?:totals|summary): (\d+)", text, re.M)[1])
    # A name is written once, behind a number that stands for it from then on.
    named = dict(re.findall(r"^c?fn=\((\d+)\) (\S+)", text, re.M))
    allocations = {number for number, name in named.items() if name in ALLOCATIONS}
    calls = re.findall(r"^cfn=\((\d+)\).*\ncalls=(\d+)", text, re.M)
    return total, sum(int(count) for number, count in calls if number in allocations)


def strace(proxy):
    return (int(re.search(r"(\d+)\s+(?:\d+\s+)?total$", open(proxy.path("calls")).read(), re.M)[1]),)


TOOLS = [(["valgrind", "--tool=callgrind", "--callgrind-out-file=HOME/calls"], callgrind),
         (["strace", "-f", "-c", "-o", "HOME/calls"], strace)]


def main():
    ceilings, program = CEILINGS[sys.argv[1]], os.path.abspath(sys.argv[2])
    cases = sys.argv[3:] or list(ceilings)
    above = []
    print(f"{'case':12} {'instructions':>13} {'allocations':>12} {'system calls':>13}")
    for case in cases:
        found = []
        for tool, counts in TOOLS:
            few, many = (counts(run(program, tool, case, count)) for count in (FEW, MANY))
            found += [(after - before) / (MANY - FEW) for before, after in zip(few, many)]
        print(f"{case:12} {found[0]:13.0f} {found[1]:12.1f} {found[2]:13.2f}", flush=True)
        above += [f"{case}: {figure:.1f} is above {most}"
                  for figure, most in zip(found, ceilings[case]) if figure > most]
    sys.exit("\n".join(above) or 0)


if __name__ == "__main__":
    main()
