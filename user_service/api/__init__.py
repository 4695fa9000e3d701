"""HTTP in: parse, call one use case, shape the answer."""

from fastapi import APIRouter

from user_service.api import addresses, auth, internal, mfa, sessions, users

ROUTERS: tuple[APIRouter, ...] = (
    users.router,
    addresses.router,
    auth.router,
    sessions.router,
    mfa.router,
    internal.router,
)
