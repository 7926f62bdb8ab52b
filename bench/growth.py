#!/usr/bin/env python3
"""What a request and a reload cost as a proxy has more: routes, declared schemes, idle connections, hosts inside TLS.

    bench/growth.py PROGRAM [--rounds 3] [--secs 1.5] [--only routes,idle] [--instructions]
                    [--lines growth.jsonl] [--draw growth.svg]

Rounds take turns; the table has medians. Load generator and origin are those of peers/, which
`peers/run.sh setup` builds. `--instructions` counts user instructions of an OKX POST as well, by
counted.py's way, which takes minutes.
"""
import argparse, http.client, json, math, os, resource, socket, ssl, subprocess, sys, time
from statistics import median

import counted, svg

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "peers", "target")), "release")
SIZES = {
    "routes": [10, 100, 1_000, 10_000],
    "schemes": [1, 50, 500],
    "idle": [0, 500, 5_000],
    "hosts": [1, 100, 1_000],
}
SAID = {"routes": "routes", "schemes": "declared schemes", "idle": "idle connections", "hosts": "hosts inside TLS"}
COLOURS = {"routes": "#2b6cb0", "schemes": "#c05621", "idle": "#2f855a", "hosts": "#6b46c1"}
RELOADS, LIMITS = 5, '[limits]\nconnections = 8192\n[timeouts]\nclient_idle = "10m"\n'
ROUTE = '[routes.r{0}]\nhost = "h{0}.example.com"\nscheme = "okx"\nkeys = {{ signer = "hmac" }}\n' \
        'secrets = {{ api_key = "plain", passphrase = "plain" }}\nupstream = "origin"\n'


def configuration(what, size):
    """The text, and files beside it."""
    text = counted.CONFIG + LIMITS
    if what == "routes":
        return text + "".join(ROUTE.format(index) for index in range(size - 2)), {}
    if what == "hosts":
        return text + "".join(ROUTE.format(index) for index in range(size)), {}
    if what == "schemes":
        with open(os.path.join(HERE, "..", "schemes", "okx.toml")) as file:
            declared = file.read()
        tables = "".join(f'[schemes.s{index}]\nfile = "s{index}.toml"\n' for index in range(size))
        return (text.replace('scheme = "okx"', 'scheme = "s0"') + tables,
                {f"s{index}.toml": declared for index in range(size)})
    return text, {}


def exchange(stream, target, host):
    stream.sendall(f"GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
    head = counted.read(stream, bytearray())
    assert head and head.startswith(b"HTTP/1.1 200"), head


def visits(proxy, size):
    """CPU time of a new connection to a host, with CONNECT, handshake and a request: the first, and one after it."""
    trust = ssl.create_default_context(cafile=proxy.path("ca.pem"))
    costs = []
    for _ in range(2):
        before = proxy.cpu()
        for index in range(size):
            host = f"h{index}.example.com"
            stream = socket.create_connection(("127.0.0.1", proxy.port))
            stream.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n".encode())
            assert counted.read(stream, bytearray()).startswith(b"HTTP/1.1 200"), "CONNECT"
            with trust.wrap_socket(stream, server_hostname=host) as inside:
                exchange(inside, "/b/200", host)
        costs.append((proxy.cpu() - before) / 1000 / size)
    return costs


def load(proxy, what, secs):
    """CPU time of a request in µs, on 32 connections that are kept."""
    how = ["--url", f"http://{counted.OKX}:80/b/200", "--via", "forward"]
    if what == "hosts":
        how = ["--url", "https://h0.example.com:443/b/200", "--via", "connect", "--ca", proxy.path("ca.pem")]
    command = [os.path.join(TOOLS, "loadgen"), *how, "--proxy", f"127.0.0.1:{proxy.port}", "--conns", "32"]
    # Once short, so that pools and caches are filled.
    for took in (0.3, secs):
        before = proxy.cpu()
        line = subprocess.run([*command, "--warm", "0", "--secs", str(took)],
                              check=True, text=True, stdout=subprocess.PIPE).stdout
        fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
        assert int(fields["n"]) and not int(fields["errors"]), line
    return (proxy.cpu() - before) / 1000 / int(fields["n"])


def reload(proxy):
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", proxy.ports["admin"], timeout=60)
    connection.request("POST", "/reload")
    answer = connection.getresponse()
    assert json.loads(answer.read())["reloaded"], answer.status
    return (time.monotonic() - began) * 1000


def measured(program, origin, what, size, secs):
    config, files = configuration(what, size)
    proxy = counted.Proxy(program, [], origin, config, files, threads=None)
    found = {"what": what, "size": size}
    try:
        held = []
        if what == "idle":
            for _ in range(size):
                held.append(socket.create_connection(("127.0.0.1", proxy.port)))
                exchange(held[-1], f"http://{counted.OKX}/b/200", counted.OKX)
        if what == "hosts":
            found["first_us"], found["again_us"] = visits(proxy, size)
        found["rss_mib"] = proxy.memory() / 1024
        found["cpu_us"] = load(proxy, what, secs)
        found["reload_ms"] = median(reload(proxy) for _ in range(RELOADS))
        for stream in held:
            stream.close()
    finally:
        proxy.end()
    return found


def instructions(program, what, size):
    few, many = (counted.callgrind(counted.run(program, counted.TOOLS[0][0], "okx", count, *configuration(what, size)))
                 for count in (counted.FEW, counted.MANY))
    return (many[0] - few[0]) / (counted.MANY - counted.FEW)


def panel(left, rows, name, title, logarithmic):
    """One chart: a line for each of what grows, over its size."""
    width, top, bottom = 250, 40, 220
    most = max(row[name] for row in rows)
    least = min(row[name] for row in rows) / 1.5 if logarithmic else 0
    scale = math.log if logarithmic else (lambda value: value)
    floor = scale(least) if logarithmic else 0
    x = lambda size: left + math.log10(max(size, 1)) / 4 * width
    y = lambda value: bottom - (scale(value) - floor) / (scale(most * 1.1) - floor) * (bottom - top)
    pieces = [svg.text(left, 18, title), svg.line([(left, top), (left, bottom), (left + width, bottom)], svg.MUTED, 1)]
    pieces += [svg.text(x(10 ** power), bottom + 18, f"{10 ** power:,}", "middle") for power in range(5)]
    for what in COLOURS:
        points = [(x(row["size"]), y(row[name])) for row in rows if row["what"] == what]
        if not points:
            continue
        pieces += [svg.line(points, COLOURS[what]), *(svg.dot(*point, COLOURS[what]) for point in points)]
        pieces += [svg.text(points[-1][0] + 6, points[-1][1] - 4,
                            f"{[row[name] for row in rows if row['what'] == what][-1]:.3g}", fill=COLOURS[what])]
    return pieces


def draw(rows):
    pieces = panel(30, rows, "cpu_us", "CPU time of a request, µs", False)
    pieces += panel(370, rows, "reload_ms", "a reload, ms (logarithmic)", True)
    for place, what in enumerate(COLOURS):
        pieces += [svg.bar(30 + 160 * place, 252, 12, 12, COLOURS[what]), svg.text(48 + 160 * place, 263, SAID[what])]
    return svg.drawing(680, 276, "Cost of a request and of a reload, as a proxy has more", pieces)


def table(found):
    """Medians over the rounds, printed; one row for each size."""
    rows = []
    names = ["cpu_us", "reload_ms", "rss_mib", "first_us", "again_us", "instructions"]
    print(f"{'what':10} {'size':>6}" + "".join(f" {name:>24}" for name in names))
    for what, size in dict.fromkeys((one["what"], one["size"]) for one in found):
        same = [one for one in found if (one["what"], one["size"]) == (what, size)]
        row, shown = {"what": what, "size": size}, ""
        for name in names:
            values = [one[name] for one in same if name in one]
            row |= {name: median(values)} if values else {}
            shown += f" {f'{median(values):.1f} [{min(values):.1f}..{max(values):.1f}]' if values else '-':>24}"
        print(f"{what:10} {size:6}{shown}")
        rows.append(row)
    return rows


def main():
    options = argparse.ArgumentParser(usage=__doc__)
    options.add_argument("program")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--secs", type=float, default=1.5)
    options.add_argument("--only", default=",".join(SIZES))
    options.add_argument("--instructions", action="store_true")
    options.add_argument("--lines")
    options.add_argument("--draw")
    options = options.parse_args()
    program, found = os.path.abspath(options.program), []
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    origin = subprocess.Popen([os.path.join(TOOLS, "origin"), "--http", str(port)])
    try:
        for count in range(options.rounds):
            for what in options.only.split(","):
                for size in SIZES[what]:
                    one = measured(program, port, what, size, options.secs) | {"round": count + 1}
                    # Where ten thousand are read, valgrind takes minutes.
                    if options.instructions and not count and what in ("routes", "schemes") and size <= 1_000:
                        one["instructions"] = instructions(program, what, size)
                    found.append(one)
                    print(json.dumps(one), file=sys.stderr)
    finally:
        origin.kill()
        origin.wait()
    if options.lines:
        with open(options.lines, "a") as file:
            file.writelines(json.dumps(one) + "\n" for one in found)
    rows = table(found)
    if options.draw:
        with open(options.draw, "w") as file:
            file.write(draw(rows))


main()
