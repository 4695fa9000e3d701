"""The parts that every request through the gateway uses."""

from collections.abc import Mapping

from common_lib.auth import TokenVerifier
from gateway import auth
from gateway.answers import Cors
from gateway.limits import Limiter
from gateway.pool import Upstream
from gateway.settings import GatewaySettings


class Gateway:
    """The parts, wired by main, and how many requests are using them."""

    def __init__(
        self,
        settings: GatewaySettings,
        upstreams: Mapping[str, Upstream],
        verifier: TokenVerifier,
        limiter: Limiter,
    ) -> None:
        self.settings = settings
        self.upstreams = upstreams
        self.callers = auth.Callers(verifier, limiter)
        self.limiter = limiter
        self.cors = Cors(settings.cors_origins)
        self.in_flight = 0
