"""Runs LocalStack in its own environment, listening on loopback only.

Its server takes the port of GATEWAY_LISTEN but ignores the host, so the host is forced here,
before LocalStack is loaded. By name, because neither package is in our own environment.
"""

import importlib
import runpy
from functools import partial

endpoints = importlib.import_module("twisted.internet.endpoints")
server = partial(vars(endpoints)["TCP4ServerEndpoint"], interface="127.0.0.1")
vars(endpoints)["TCP4ServerEndpoint"] = server

runpy.run_module("localstack.runtime.main", run_name="__main__")
