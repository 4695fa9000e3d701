"""Fills the databases with the catalogue and the development logins, as large as asked for.

Rows are written by table name, since this program imports no service. A row that is there already
stays as it is, whatever has happened to it since: seeding twice changes nothing. No event is
published.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from passlib.hash import bcrypt_sha256
from rich.console import Console
from sqlalchemy import func, select, text
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.exc import ProgrammingError

from common_lib.database import Database, WriteSession
from common_lib.driver_errors import error_code
from common_lib.errors import Unavailable
from common_lib.settings import DatabaseSettings, Profile
from shop import stocking
from shop.data import tables
from shop.data.assortment import Assortment
from shop.data.reader import load
from shop.data.shelves import load_shelves
from shop.data.tables import Batch
from shop.stack import choice, docker, memory
from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.native import NativeStack
from shop.stack.progress import Progress

DEV_PASSWORD: Final = "demo-pass-123"  # noqa: S105 - the documented development login
BCRYPT_ROUNDS: Final = 12  # what the user service takes for a password by default
URL_VARIABLES: Final = {
    name: f"SHOP_{name.upper()}_DATABASE_URL" for name in ("user", "catalog", "order")
}
_PUBLISHED: Final = "the seeds hold logins with a published password"
_MARK_UNSEARCHED: Final = text(
    "INSERT IGNORE INTO search_updates (target, product_id, due_at)"
    " SELECT 'mysql', p.id, UTC_TIMESTAMP(6) FROM products p"
    " LEFT JOIN search_documents d ON d.product_id = p.id"
    " LEFT JOIN search_updates u ON u.product_id = p.id AND u.target = 'mysql'"
    " WHERE p.status = 'ACTIVE' AND d.product_id IS NULL AND u.product_id IS NULL"
)
_NO_SUCH_TABLE: Final = 1146
_NO_ACCESS: Final = frozenset({1044, 1045, 1049, 1698})


@dataclass(frozen=True)
class Databases:
    """The URLs of the databases that are filled; notifications_db starts empty."""

    user: str
    catalog: str
    order: str

    @classmethod
    def of_stack(cls, stack: NativeStack) -> "Databases":
        return cls(**{name: stack.database_url(name) for name in URL_VARIABLES})

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Databases | None":
        """Read the three URL variables, None if there are none. Raises StackError for some."""
        found = {name: environment.get(var, "") for name, var in URL_VARIABLES.items()}
        if not any(found.values()):
            return None
        for name, url in found.items():
            if not url:
                fix = "set it to the database's mysql+asyncmy:// URL"
                raise StackError(f"{URL_VARIABLES[name]} is not set", fix)
        return cls(**found)


@dataclass(frozen=True)
class Filled:
    """What one table holds of the seeds, and how many of these rows came while this run wrote."""

    table: str
    rows: int
    added: int


def run(products: int | None = None) -> None:
    """Seed what the environment names, else the local stack. Raises StackError."""
    progress = Progress(Console())
    profile = profile_of(os.environ)
    refuse_production(profile, _PUBLISHED)
    _made_up(products)
    databases = Databases.from_environment(os.environ)
    layout = Layout.local()
    if databases is None and _in_docker(layout):
        wanted = () if products is None else ("--products", str(products))
        docker.DockerStack(layout, progress).run_job("seed", *wanted)
        return
    databases = databases or Databases.of_stack(NativeStack(layout, progress))
    progress.heading("Seeds")
    asyncio.run(seed(databases, profile=profile, progress=progress, products=products))


async def seed(
    databases: Databases,
    *,
    profile: Profile,
    progress: Progress | None = None,
    products: int | None = None,
    bcrypt_rounds: int = BCRYPT_ROUNDS,
) -> list[Filled]:
    """Write the seed rows that are missing, one transaction per database. Safe to repeat.

    With `products` made-up ones are added in batches until the catalogue has that many. Whoever
    logs in pays for the `bcrypt_rounds`. Raises StackError for a number too small or too large, in
    the production profile, when a database does not answer or has no tables yet, and when a seeded
    key belongs to another row.
    """
    refuse_production(profile, _PUBLISHED)
    made_up = _made_up(products)
    shown = progress or Progress.silent()
    seeds = load()
    password_hash = bcrypt_sha256.using(rounds=bcrypt_rounds).hash(DEV_PASSWORD)
    filled = [
        *await _fill("users_db", databases.user, tables.users_db(seeds, password_hash), shown),
        *await _fill("catalog_db", databases.catalog, tables.catalog_db(seeds), shown),
        *await _fill("orders_db", databases.order, tables.orders_db(seeds), shown),
        *await _stock(databases.catalog, made_up, shown),
    ]
    await _have_indexed(databases.catalog)
    return filled


async def _have_indexed(url: str) -> None:
    """Tell the catalog's worker of products that search does not know yet."""
    database = _connect(url)
    try:
        await database.transact(lambda session: session.execute(_MARK_UNSEARCHED))
    finally:
        await database.close()


def _in_docker(layout: Layout) -> bool:
    remembered = memory.recall_kind(layout.home)
    return choice.choose(os.environ, remembered, docker.engine_answers) is memory.Kind.DOCKER


def profile_of(environment: Mapping[str, str]) -> Profile:
    """Return SHOP_PROFILE, dev where it is not set. Raises StackError for another word."""
    text = environment.get("SHOP_PROFILE") or Profile.DEV.value
    if text not in set(Profile):
        raise StackError(f"SHOP_PROFILE is {text!r}", f"choose one of {', '.join(Profile)}")
    return Profile(text)


def refuse_production(profile: Profile, why: str) -> None:
    """Raise StackError in the production profile, saying why."""
    if profile is Profile.PRODUCTION:
        raise StackError(f"{why}: not in production", "choose SHOP_PROFILE=dev or test")


def _made_up(products: int | None) -> int:
    """Return how many products there are to make up besides those written by hand."""
    by_hand, most = len(load().products), Assortment(load_shelves()).capacity
    if products is None:
        return 0
    if not by_hand <= products <= by_hand + most:
        raise StackError(
            f"the catalogue cannot have {products:,} products",
            f"ask for {by_hand} (those written by hand) to {by_hand + most:,}",
        )
    return products - by_hand


async def _stock(url: str, count: int, progress: Progress) -> list[Filled]:
    if not count:
        return []
    database, assortment = _connect(url), Assortment(load_shelves())
    try:
        with _explained("catalog_db"), progress.bar("Stocking the shelves", count) as bar:
            added = await stocking.stock(database, assortment, count, bar.advance)
    finally:
        await database.close()
    rate = f"{count / bar.elapsed_s:,.0f} a second"
    new = f"{added:,}" if added else "nothing"
    progress.done(f"catalog_db: made-up products {count:,} ({new} new, {rate})", bar.elapsed_s)
    return [Filled("made-up products", rows=count, added=added)]


async def _fill(name: str, url: str, batches: Sequence[Batch], progress: Progress) -> list[Filled]:
    with progress.step(f"Seeding {name}") as step:
        database = _connect(url)
        try:
            with _explained(name):
                filled = await database.transact(lambda session: _write(session, batches))
        finally:
            await database.close()
        progress.done(f"{name}: {_summary(filled)}", step.elapsed_s)
    return filled


def _connect(url: str) -> Database:
    # The settings of a process want a port; this one listens nowhere.
    return Database(DatabaseSettings(port=1, database_url=url, database_read_urls=()))


async def _write(session: WriteSession, batches: Sequence[Batch]) -> list[Filled]:
    return [await _insert_missing(session, batch) for batch in batches]


async def _insert_missing(session: WriteSession, batch: Batch) -> Filled:
    """Insert the rows whose keys are free; anything else wrong with a row still raises."""
    before = await _count(session, batch)
    statement = insert(batch.table)
    untouched = {batch.key: batch.table.c[batch.key]}
    await session.execute(statement.on_duplicate_key_update(untouched), list(batch.rows))
    after = await _count(session, batch)
    if after < len(batch.rows):
        raise StackError(
            f"{batch.name} holds other rows under {len(batch.rows) - after} of the seeds' keys",
            "empty the databases with `make reset`, then seed again",
        )
    return Filled(batch.name, rows=after, added=after - before)


async def _count(session: WriteSession, batch: Batch) -> int:
    key = batch.table.c[batch.key]
    found = await session.scalar(select(func.count()).where(key.in_(batch.ids)))
    return int(found or 0)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except Unavailable as error:
        if error_code(error) in _NO_ACCESS:
            raise
        raise StackError(f"{name} does not answer", "start the stack with `make up`") from error
    except ProgrammingError as error:
        if error_code(error) != _NO_SUCH_TABLE:
            raise
        fix = "run `python -m shop migrate` first"
        raise StackError(f"{name} has no tables yet", fix) from error


def _summary(filled: Sequence[Filled]) -> str:
    counts = ", ".join(f"{f.table.replace('_', ' ')} {f.rows}" for f in filled)
    return f"{counts} ({sum(f.added for f in filled) or 'nothing'} new)"
