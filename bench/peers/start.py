#!/usr/bin/env python3
"""How long proxies take to start: from the fork to a connection that is taken, and to the first answer.

    bench/peers/start.py ROUNDS URL < PEERS

A line of PEERS is a name, how it is asked (forward or reverse), its port and its command. They take turns.
A socket that listens takes connections before its program looks at them, so the answer to a request
that went the whole way is what says that a proxy works. run.sh says it for `start`.
"""
import os, signal, socket, sys, time
from urllib.parse import urlsplit

# Between two tries: what a figure can be too high by. Trying without a pause takes a core from who starts.
PAUSE, PATIENCE = 0.0001, 20


def reached(port, until):
    while time.monotonic() < until:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(PAUSE)
    sys.exit(f"nobody listens at {port}")


def once(via, port, command, url, log):
    """Milliseconds until it listens, and until it has answered."""
    address = urlsplit(url)
    target = url if via == "forward" else address.path
    request = f"GET {target} HTTP/1.1\r\nHost: {address.netloc}\r\nUser-Agent: proxybench\r\nAccept: */*\r\n\r\n"
    files = [(os.POSIX_SPAWN_DUP2, log.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2)]
    began = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=files)
    try:
        stream = reached(port, began + PATIENCE)
        listens = time.monotonic()
        stream.settimeout(PATIENCE)
        stream.sendall(request.encode())
        answer = stream.recv(65536)
        answered = time.monotonic()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if not answer.startswith(b"HTTP/1.1 200"):
        sys.exit(f"{' '.join(command)}: {answer!r}")
    return (listens - began) * 1000, (answered - began) * 1000


def main():
    rounds, url = int(sys.argv[1]), sys.argv[2]
    peers = [line.split() for line in sys.stdin]
    with open(os.devnull, "w") as log:
        # The first start reads the program from the disk.
        for count in range(rounds + 1):
            for name, via, port, *command in peers:
                listens, answered = once(via, int(port), command, url, log)
                if count:
                    print(f"round={count} label=start/{name} listen_ms={listens:.2f} answer_ms={answered:.2f}",
                          flush=True)


main()
