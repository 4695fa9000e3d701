"""Runs LocalStack in its own environment, listening on loopback only.

Its server takes the port of GATEWAY_LISTEN but ignores the host, so the host is forced here,
before LocalStack is loaded. It also goes on without a port if somebody else has it, deaf even to
SIGTERM; here it ends with what stopped it. By name, because neither package is in our own
environment.
"""

import importlib
import os
import runpy
import sys

endpoints = importlib.import_module("twisted.internet.endpoints")
server = vars(endpoints)["TCP4ServerEndpoint"]


def on_loopback(reactor: object, port: int) -> object:
    """Make an endpoint that listens on loopback or ends this program with status 1."""
    endpoint = server(reactor, port, interface="127.0.0.1")
    listen = endpoint.listen
    endpoint.listen = lambda factory: listen(factory).addErrback(end_with)
    return endpoint


def end_with(failure: object) -> None:
    print(failure, file=sys.stderr, flush=True)
    os._exit(1)


vars(endpoints)["TCP4ServerEndpoint"] = on_loopback

runpy.run_module("localstack.runtime.main", run_name="__main__")
