"""HTTP in: parse, call one use case, shape the answer."""

from fastapi import APIRouter

from user_service.api import (
    addresses,
    auth,
    emails,
    exports,
    internal,
    mfa,
    passwords,
    sessions,
    users,
)

ROUTERS: tuple[APIRouter, ...] = (
    users.router,
    addresses.router,
    auth.router,
    sessions.router,
    mfa.router,
    passwords.router,
    emails.router,
    exports.router,
    internal.router,
)
