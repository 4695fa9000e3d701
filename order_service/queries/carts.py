"""Carts and cached quotes in Redis. Every function raises CartUnavailable when Redis is away.

Whoever changes a cart raises CartOutcomeUnknown, too: when a change was sent, sent again and never
answered. Changes carry a token that is kept beside the cart, so that the same one twice is one.

A cart is one hash: a field per variant with its quantity, and `v`, the version. A version is never
used twice, also not after the cart was cleared: it starts from the clock.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar, cast
from uuid import UUID, uuid4

from redis.asyncio import Redis

from common_lib.cache import REDIS_FAILURES
from common_lib.errors import Unavailable
from common_lib.sure_writes import NotWritten, WriteUnknown, write_surely
from order_service.models.records import Line

T = TypeVar("T")

_VERSION: Final = b"v"
# Longer than a change and its repetition may take.
_FRESH_TTL_S: Final = 60

_EDIT: Final = """
local current = tonumber(redis.call('hget', KEYS[1], ARGV[2]) or '0')
local wanted = tonumber(ARGV[3])
local done = redis.call('get', KEYS[2])
if done then
  if done ~= ARGV[8] then return {'reused', 0, {}} end
  return {'ok', redis.call('ttl', KEYS[1]), redis.call('hgetall', KEYS[1])}
end
local is_new = current == 0
if ARGV[1] == 'add' then wanted = wanted + current end
if ARGV[1] == 'set' and is_new then return {'absent', 0, {}} end
if wanted > tonumber(ARGV[5]) then return {'quantity', 0, {}} end
if is_new and wanted > 0 and redis.call('hlen', KEYS[1]) > tonumber(ARGV[4]) then
  return {'lines', 0, {}}
end
if wanted > 0 then
  redis.call('hset', KEYS[1], ARGV[2], wanted)
elseif not is_new then
  redis.call('hdel', KEYS[1], ARGV[2])
end
if wanted ~= current then
  local version = tonumber(redis.call('hget', KEYS[1], 'v') or '0')
  redis.call('hset', KEYS[1], 'v', string.format('%.0f', math.max(version + 1, ARGV[6])))
  redis.call('expire', KEYS[1], ARGV[7])
end
redis.call('set', KEYS[2], ARGV[8], 'ex', ARGV[9])
return {'ok', redis.call('ttl', KEYS[1]), redis.call('hgetall', KEYS[1])}
"""
# The guest's cart is read, added and deleted in one step: of two merges one finds nothing left.
# What found no line is remembered, for the same merge that comes again because its answer was lost.
_MERGE: Final = """
local done = redis.call('get', KEYS[3])
if done then
  return {cjson.decode(done), redis.call('ttl', KEYS[2]), redis.call('hgetall', KEYS[2])}
end
local guest = redis.call('hgetall', KEYS[1])
local max_lines, max_quantity = tonumber(ARGV[1]), tonumber(ARGV[2])
local changed, left_out = false, {}
local lines = redis.call('hlen', KEYS[2])
if redis.call('hexists', KEYS[2], 'v') == 1 then lines = lines - 1 end
for i = 1, #guest, 2 do
  if guest[i] ~= 'v' then
    local current = tonumber(redis.call('hget', KEYS[2], guest[i]) or '0')
    local wanted = math.min(current + tonumber(guest[i + 1]), max_quantity)
    if current == 0 and lines >= max_lines then
      table.insert(left_out, guest[i])
    elseif wanted > current then
      if current == 0 then lines = lines + 1 end
      redis.call('hset', KEYS[2], guest[i], wanted)
      changed = true
    end
  end
end
redis.call('del', KEYS[1])
if changed then
  local version = tonumber(redis.call('hget', KEYS[2], 'v') or '0')
  redis.call('hset', KEYS[2], 'v', string.format('%.0f', math.max(version + 1, ARGV[3])))
  redis.call('expire', KEYS[2], ARGV[4])
end
if #left_out > 0 then redis.call('set', KEYS[3], cjson.encode(left_out), 'ex', ARGV[5]) end
return {left_out, redis.call('ttl', KEYS[2]), redis.call('hgetall', KEYS[2])}
"""
_TAKE_OUT: Final = """
if redis.call('exists', KEYS[1]) == 0 then return end
for i = 2, #ARGV, 2 do
  local left = tonumber(redis.call('hget', KEYS[1], ARGV[i]) or '0') - tonumber(ARGV[i + 1])
  if left > 0 then
    redis.call('hset', KEYS[1], ARGV[i], left)
  else
    redis.call('hdel', KEYS[1], ARGV[i])
  end
end
local version = tonumber(redis.call('hget', KEYS[1], 'v') or '0')
redis.call('hdel', KEYS[1], 'v')
if redis.call('exists', KEYS[1]) == 1 then
  redis.call('hset', KEYS[1], 'v', string.format('%.0f', math.max(version + 1, ARGV[1])))
end
"""


class CartUnavailable(Unavailable):
    code = "cart_unavailable"
    title = "Carts cannot be reached just now"


class CartOutcomeUnknown(Unavailable):
    code = "cart_outcome_unknown"
    title = "Whether the cart was changed is not known: look at it, or ask the same again"


class Edit(StrEnum):
    ADD = "add"
    SET = "set"
    REMOVE = "remove"


class EditResult(StrEnum):
    OK = "ok"
    ABSENT = "absent"
    TOO_MANY_UNITS = "quantity"
    TOO_MANY_LINES = "lines"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class StoredCart:
    """Quantities by variant; `ttl_s` is 0 where there is no cart."""

    quantities: Mapping[UUID, int]
    version: int
    ttl_s: int


@dataclass(frozen=True, slots=True)
class CartLimits:
    max_lines: int
    max_quantity: int
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Token:
    """What makes a change the same as an earlier one; known for `ttl_s` after it was made."""

    name: str
    ttl_s: int

    @classmethod
    def fresh(cls) -> "Token":
        """Return one for a change that only we ourselves repeat."""
        return cls(uuid4().hex, _FRESH_TTL_S)


async def read_cart(redis: Redis, user_id: UUID) -> StoredCart:
    async def work() -> list[Any]:
        async with redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(_cart_key(user_id))
            pipeline.ttl(_cart_key(user_id))
            return list(await pipeline.execute())

    fields, ttl_s = await _translated(work())
    return _stored(fields, ttl_s)


async def edit_cart(
    redis: Redis,
    user_id: UUID,
    edit: Edit,
    line: Line,
    *,
    limits: CartLimits,
    token: Token,
) -> tuple[EditResult, StoredCart]:
    """Change one line, within the limits, in one step; anything but OK changed nothing."""
    result, ttl_s, flat = await _changed(
        redis,
        _EDIT,
        [_cart_key(user_id), _token_key(user_id, token)],
        edit.value,
        str(line.variant_id),
        line.quantity,
        limits.max_lines,
        limits.max_quantity,
        time.time_ns() // 1_000_000,
        limits.ttl_s,
        f"{edit}:{line.variant_id}:{line.quantity}",
        token.ttl_s,
    )
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    return EditResult(result.decode()), _stored(fields, ttl_s)


async def merge_cart(
    redis: Redis, *, guest_id: UUID, user_id: UUID, limits: CartLimits
) -> tuple[list[UUID], StoredCart]:
    """Move a guest's lines into the user's cart, in one step; repeating it changes nothing.

    Quantities add up to the limit. Returns the variants there was no line left for, and the cart.
    """
    left_out, ttl_s, flat = await _changed(
        redis,
        _MERGE,
        [_cart_key(guest_id), _cart_key(user_id), _token_key(user_id, Token.fresh())],
        limits.max_lines,
        limits.max_quantity,
        time.time_ns() // 1_000_000,
        limits.ttl_s,
        _FRESH_TTL_S,
    )
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    return [UUID(variant.decode()) for variant in left_out], _stored(fields, ttl_s)


async def delete_cart(redis: Redis, user_id: UUID) -> None:
    await _surely(redis, lambda line: line.delete(_cart_key(user_id)))


async def take_out(redis: Redis, user_id: UUID, lines: Sequence[Line]) -> None:
    """Take these quantities out of the cart, in one step; what was added beside them stays."""
    flat = [part for line in lines for part in (str(line.variant_id), line.quantity)]
    present_ms = time.time_ns() // 1_000_000
    await _translated(redis.eval(_TAKE_OUT, 1, _cart_key(user_id), present_ms, *flat))


async def read_quotes(redis: Redis, variants: Sequence[UUID]) -> list[bytes | None]:
    if not variants:
        return []
    found = await _translated(redis.mget([_quote_key(variant) for variant in variants]))
    return cast("list[bytes | None]", found)


async def store_quotes(redis: Redis, quotes: Mapping[UUID, bytes], ttl_s: int) -> None:
    async def work() -> None:
        async with redis.pipeline(transaction=False) as pipeline:
            for variant, quote in quotes.items():
                pipeline.set(_quote_key(variant), quote, ex=ttl_s)
            await pipeline.execute()

    if quotes:
        await _translated(work())


async def drop_quotes(redis: Redis, variants: Sequence[UUID]) -> None:
    if variants:
        await _translated(redis.delete(*(_quote_key(variant) for variant in variants)))


async def _changed(redis: Redis, script: str, keys: Sequence[str], *values: str | int) -> list[Any]:
    async def write(line: Redis) -> Any:
        return await line.eval(script, len(keys), *keys, *values)

    return list(await _surely(redis, write))


async def _surely(redis: Redis, write: Callable[[Redis], Awaitable[T]]) -> T:
    try:
        return await write_surely(redis, write)
    except NotWritten as error:
        raise CartUnavailable(retry_after_s=1) from error
    except WriteUnknown as error:
        raise CartOutcomeUnknown(retry_after_s=1) from error


async def _translated(call: Awaitable[T]) -> T:
    try:
        return await call
    except REDIS_FAILURES as error:
        raise CartUnavailable(retry_after_s=1) from error


def _stored(fields: Mapping[bytes, bytes], ttl_s: int) -> StoredCart:
    quantities = {
        UUID(name.decode()): int(value) for name, value in fields.items() if name != _VERSION
    }
    return StoredCart(quantities, int(fields.get(_VERSION, b"0")), max(ttl_s, 0))


def _cart_key(user_id: UUID) -> str:
    return f"cart:{user_id}"


def _token_key(user_id: UUID, token: Token) -> str:
    return f"cart-done:{user_id}:{hashlib.sha256(token.name.encode()).hexdigest()[:32]}"


def _quote_key(variant_id: UUID) -> str:
    return f"cart-quote:{variant_id}"
