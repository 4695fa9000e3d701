"""The environment each process is started with."""

import os
from collections.abc import Mapping

from shop.stack.credentials import Secrets, field_key_file, key_file
from shop.stack.layout import (
    ACCOUNT,
    CHOICE_VARIABLE,
    DATABASE_USER,
    HOME_VARIABLE,
    REGION,
    SERVICES,
    Layout,
    original,
)
from shop.stack.ports import EDGE_SOURCE, LOOPBACK, OFFSET_VARIABLE, Ports, port_variable

# Defaults of the local stack that the caller's own environment overrides.
DEFAULTS = {
    "SHOP_LOG_FORMAT": "json",
    "SHOP_LOG_LEVEL": "INFO",
    "SHOP_LOGIN_LIMIT_PER_15MIN": "100000",
    "SHOP_REGISTER_LIMIT_PER_HOUR": "100000",
    "SHOP_MAIL_LIMIT_PER_HOUR": "100000",
    "SHOP_TRUSTED_PROXIES": f"{EDGE_SOURCE}/32",
    "SHOP_LOGIN_LIMIT_PER_MINUTE": "100000",
    "SHOP_REGISTER_LIMIT_PER_MINUTE": "100000",
    "SHOP_FORGOT_LIMIT_PER_MINUTE": "100000",
    "SHOP_MFA_LIMIT_PER_MINUTE": "100000",
}


# Names the file that says until when everything that was published had arrived.
DRAINED_VARIABLE = "SHOP_BUS_DRAINED_FILE"

# Where the local SSM holds limits that change while the gateway runs.
LIVE_SETTINGS_PATH = "/shop/live"

# Settings of the stack itself, which reach the processes as addresses and no other way.
STACK_ONLY = frozenset(
    {
        OFFSET_VARIABLE,
        CHOICE_VARIABLE,
        HOME_VARIABLE,
        DRAINED_VARIABLE,
        *(port_variable(name) for name in Ports.names()),
    }
)


def decides_about_processes(variable: str) -> bool:
    """Whether a process must be restarted when this variable has changed."""
    return variable.startswith("SHOP_") and variable not in STACK_ONLY


def database_variable(service: str) -> str:
    """Name the variable through which a tool of ours is told a service's database."""
    return f"SHOP_{service.upper()}_DATABASE_URL"


def database_url(layout: Layout, secrets: Secrets, service: str) -> str:
    """Return the SQLAlchemy URL of one service's database."""
    account = f"{DATABASE_USER}:{secrets.mysql_password}"
    address = f"{LOOPBACK}:{layout.mysql_port(service)}"
    return f"mysql+asyncmy://{account}@{address}/{SERVICES[service].database}"


def database_processes(layout: Layout, service: str) -> int:
    """Count the processes that share a service's database server: web, worker, and twins."""
    sharing = set(SERVICES) if layout.single_mysql else {service}
    twins = [name for name in layout.twins if original(name).removesuffix("-worker") in sharing]
    return 2 * len(sharing) + len(twins)


def wiring(layout: Layout, secrets: Secrets, name: str) -> dict[str, str]:
    """Return what ties the process to this stack, whatever the caller's environment says."""
    return {
        **_common(layout, secrets),
        "SHOP_PORT": str(layout.port_of(name)),
        **_own(layout, secrets, original(name)),
        **layout.env,
        **layout.process_env.get(name, {}),
    }


def process_environment(
    layout: Layout, secrets: Secrets, name: str, extra: Mapping[str, str]
) -> dict[str, str]:
    """Return it whole: local defaults, over them the caller's environment, over that the wiring."""
    return {
        **DEFAULTS,
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        # Ten processes that each compile every module at each start take half a minute.
        "PYTHONDONTWRITEBYTECODE": "",
        **wiring(layout, secrets, name),
        **extra,
    }


def aws_environment(layout: Layout) -> dict[str, str]:
    """Return what a boto3 program needs to reach this stack's LocalStack."""
    return {
        "AWS_ENDPOINT_URL": layout.aws_endpoint_url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def tool_environment(layout: Layout, secrets: Secrets) -> dict[str, str]:
    """Return what a tool of ours needs to find this stack, whatever stack it is."""
    return {
        **os.environ,
        **_common(layout, secrets),
        **aws_environment(layout),
        **{database_variable(name): database_url(layout, secrets, name) for name in SERVICES},
        DRAINED_VARIABLE: str(layout.data / "bus-drained-at"),
    }


def _common(layout: Layout, secrets: Secrets) -> dict[str, str]:
    return {
        "SHOP_PROFILE": layout.profile,
        "SHOP_HOST": LOOPBACK,
        "SHOP_REDIS_URL": layout.redis_url,
        "SHOP_AWS_ENDPOINT_URL": layout.aws_endpoint_url,
        "SHOP_AWS_REGION": REGION,
        "SHOP_AWS_ACCOUNT_ID": ACCOUNT,
        "SHOP_AWS_ACCESS_KEY_ID": "test",
        "SHOP_AWS_SECRET_ACCESS_KEY": "test",
        "SHOP_JWKS_URL": ",".join(
            f"{url}/.well-known/jwks.json" for url in layout.urls("user").split(",")
        ),
        "SHOP_SERVICE_TOKEN_KEY_FILE": str(key_file(layout.keys, "service")),
        "SHOP_STOREFRONT_URL": layout.url("gateway"),
        "SHOP_PAYMENT_SANDBOX_URL": layout.url("payment-sandbox"),
        "SHOP_PAYMENT_WEBHOOK_SECRET": secrets.payment_webhook_secret,
        **{f"SHOP_{name.upper()}_URL": layout.urls(name) for name in SERVICES},
    }


def _own(layout: Layout, secrets: Secrets, name: str) -> dict[str, str]:
    service = name.removesuffix("-worker")
    own = {}
    if service in SERVICES:
        own["SHOP_DATABASE_URL"] = database_url(layout, secrets, service)
        own["SHOP_DATABASE_READ_URLS"] = ""
        own["SHOP_DATABASE_PROCESSES"] = str(database_processes(layout, service))
    if name == "gateway":
        own["SHOP_METRICS_PORT"] = str(layout.ports.gateway_metrics)
        own["SHOP_LIVE_SETTINGS_PATH"] = LIVE_SETTINGS_PATH if layout.profile == "dev" else ""
    if name == "payment-sandbox":
        own["SHOP_PAYMENT_SANDBOX_FILE"] = str(layout.data / "payment-sandbox.sqlite")
    if service == "user":
        own["SHOP_JWT_PRIVATE_KEY_FILE"] = str(key_file(layout.keys, "jwt"))
        own["SHOP_FIELD_KEY_FILE"] = str(field_key_file(layout.keys))
    return own
