"""The gateway and the edge: who comes in, how often, and where it goes."""

from typing import Final

from tests.proofs.fault import Fault

_EXCHANGE: Final = "gateway/exchange.py"
_LIMITS: Final = "gateway/limits.py"
_POOL: Final = "gateway/pool.py"
_TOKENS: Final = "common_lib/auth/tokens.py"
_BREAKER: Final = "common_lib/http_client.py"
_EDGE: Final = "deploy/edge/nginx.conf.template"
_FIREWALL: Final = "deploy/edge/modsecurity.conf"

FAULTS: Final = (
    Fault((49,), _EXCHANGE, "flow_step(1, self._elapsed_ms())", "self._elapsed_ms()"),
    Fault((50,), _EXCHANGE, "flow_step(2, self._elapsed_ms())", "self._elapsed_ms()"),
    Fault((51,), _EXCHANGE, "flow_step(3, self._elapsed_ms())", "self._elapsed_ms()"),
    Fault(
        (50, 105, 119),
        _LIMITS,
        "if used[i] >= limit then admitted = 0 end",
        "if used[i] > limit then admitted = 0 end",
    ),
    Fault((105, 120), _FIREWALL, "SecRuleEngine On", "SecRuleEngine DetectionOnly"),
    Fault((120,), _EDGE, "limit_conn connections ${EDGE_CONNECTIONS};", ""),
    Fault(
        (133,),
        "deploy/edge/crs-setup.conf",
        "setvar:tx.paranoia_level=1",
        "setvar:tx.paranoia_level=4",
    ),
    Fault((134,), _EDGE, "ssl_protocols TLSv1.3;", "ssl_protocols TLSv1.2 TLSv1.3;"),
    Fault(
        (63,),
        _TOKENS,
        "ACCESS_LIFETIME_S: Final = 30 * 60",
        "ACCESS_LIFETIME_S: Final = 60 * 60",
    ),
    Fault((63,), _TOKENS, '"strict_aud": True,', '"verify_signature": False,'),
    Fault(
        (121,),
        "common_lib/telemetry/__init__.py",
        'Counter("http_requests_total"',
        'Counter("requests_total"',
    ),
    Fault((135,), "gateway/answers.py", '    (b"x-content-type-options", b"nosniff"),\n', ""),
    Fault(
        (136,),
        "gateway/headers.py",
        'traceparent$|accept-encoding$"',
        'traceparent$|accept-encoding$|authorization$"',
    ),
    Fault(
        (137,),
        _POOL,
        "if len(refused) == len(self.addresses):\n                    raise broke or error",
        "if refused:\n                    raise broke or error",
    ),
    Fault(
        (137,), _POOL, "self.is_out = connection.status != _OK", "self.is_out = bool(connection)"
    ),
    Fault(
        (138,),
        "common_lib/settings/sources.py",
        "dict.fromkeys((COMMON, section))",
        "dict.fromkeys((COMMON,))",
    ),
    Fault(
        (138,),
        "gateway/live_settings.py",
        "self._set_limit(LIMITS[name], limit)",
        "log.info(LIMITS[name], limit=limit)",
    ),
    Fault((116, 139), _BREAKER, "self._probing_since = now", "self._probing_since = None"),
    Fault((116, 139), _BREAKER, "threshold: int = 5", "threshold: int = 50"),
)
