"""Runs a command at a terminal of its own, types Ctrl-C, then sends the command SIGTERM.

The command has to print "up", then "INT" for each interruption, and end when it is terminated.
What it printed comes out, and its exit code is the exit code.
"""

import os
import pty
import signal
import sys


def main(command):
    process, terminal = pty.fork()
    if process == 0:
        os.execvp(command[0], command)
    said = b""

    def until(text):
        nonlocal said
        while text not in said:
            said += os.read(terminal, 4096)

    until(b"up\r\n")
    os.write(terminal, b"\x03")
    until(b"INT\r\n")
    os.kill(process, signal.SIGTERM)
    try:
        while more := os.read(terminal, 4096):
            said += more
    except OSError:
        # That is how Linux says that nobody has the terminal any more.
        pass
    sys.stdout.write(said.decode())
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


sys.exit(main(sys.argv[1:]))
