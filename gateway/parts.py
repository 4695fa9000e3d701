"""The parts that every request through the gateway uses."""

from collections.abc import Mapping

from common_lib import admission
from common_lib.admission import BOUNDS, Kind
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
        # Per upstream and kind of work, so that none takes the places of another.
        self._admissions: dict[tuple[str, Kind], admission.Limiter] = {
            (upstream, kind): admission.Limiter(f"{upstream}.{kind.value}", bounds)
            for upstream in upstreams
            for kind, bounds in BOUNDS.items()
            if kind is not Kind.INTERNAL
        }

    def admission_to(self, upstream: str, kind: Kind) -> admission.Limiter:
        return self._admissions[upstream, kind]
