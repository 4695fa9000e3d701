"""The parts of the shop, their ports and settings, and what the repository holds besides."""

from typing import Final

from tests.proofs.fault import Fault

_COMPOSE: Final = "docker-compose.yml"
_PORTS: Final = "shop/stack/ports.py"

FAULTS: Final = (
    Fault((44,), _PORTS, "user: int = 8081", "user: int = 8071"),
    Fault((45,), _PORTS, "mysql_catalog: int = 3307", "mysql_catalog: int = 3317"),
    Fault((46,), _PORTS, "order: int = 8083", "order: int = 8093"),
    Fault((47,), _PORTS, "mysql_notifications: int = 3309", "mysql_notifications: int = 3319"),
    Fault((48,), _PORTS, "redis_commander: int = 8090", "redis_commander: int = 8091"),
    Fault((95, 165), _COMPOSE, "image: redis:7.4", "image: redis:6.2"),
    Fault(
        (128, 157),
        "deploy/mysql/shop.cnf",
        "binlog-expire-logs-seconds = 604800",
        "binlog-expire-logs-seconds = 60",
    ),
    Fault(
        (128, 157),
        "shop/stack/mysql.py",
        "*arguments(server.family),",
        "",
    ),
    Fault((148,), _COMPOSE, "image: mysql:8.4.11", "image: mysql:8.0.40"),
    Fault((151,), "deploy/redis/shop.conf", "appendonly yes", "appendonly no"),
    Fault((167,), "common_lib/problems/documents.py", "(Conflict, 409)", "(Conflict, 400)"),
    Fault(
        (168,),
        "docs/diagrams/order-flow.svg",
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>',
        "",
    ),
    Fault(
        (169,), "README.md", "http://localhost:8081/api/users ", "http://localhost:8081/api/user "
    ),
    Fault((170,), "LICENSE", "MIT License", "All rights reserved"),
)
