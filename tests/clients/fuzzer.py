"""Runs Autobahn's wstest; its server takes over the listening socket that is the standard input.

Arguments: those of wstest. Python 2.7: the suite has never left it.
"""

import socket
import sys

import autobahntestsuite  # noqa: F401, chooses the reactor, and has to be first

from autobahntestsuite import wstest
from twisted.internet import reactor

reactor.listenTCP = lambda _port, factory, *_, **__: reactor.adoptStreamPort(
    sys.stdin.fileno(), socket.AF_INET, factory
)
wstest.run()
