"""`shop status` of the native stack: all parts and processes, how often each was brought back."""

from datetime import datetime

from rich.console import Console
from rich.table import Table

from shop.stack import edge, supervisor
from shop.stack.layout import PROCESS_NAMES
from shop.stack.native import NativeStack
from shop.stack.processes import Identity
from shop.stack.supervisor import Record


def show(stack: NativeStack, console: Console) -> None:
    """Print the table, and a line for whatever is not as it should be."""
    running, records = stack.running(), supervisor.read_records(stack.layout.run)
    table = Table("name", "port", "pid", "state", "MB", "restarts", box=None)
    doors = (edge.NAME,) if stack.layout.with_edge else ()
    for name in (*stack.part_names(), "redis-commander", *PROCESS_NAMES, *doors):
        identity, record = running.get(name), records.get(name, Record())
        table.add_row(
            name,
            str(stack.layout.ports.of(name)),
            str(identity.pid) if identity else "",
            _state(stack, name, identity, record),
            f"{identity.memory_mib():.0f}" if identity else "",
            restarts(record),
        )
    console.print(table)
    total = sum(identity.memory_mib() for identity in running.values())
    console.print(f"{len(running)} running, {total:.0f} MB resident", highlight=False)
    console.print(_supervision(running), highlight=False, soft_wrap=True)


def restarts(record: Record) -> str:
    """Say how often and when last, in the local time of whoever reads it."""
    if not record.restarts:
        return ""
    last = datetime.fromtimestamp(record.restarted_at).astimezone()
    return f"{record.restarts}, last {last:%d %b %H:%M:%S}"


def _state(stack: NativeStack, name: str, identity: Identity | None, record: Record) -> str:
    if identity is not None:
        return "ready" if stack.is_ready(name) else "starting"
    if not record.is_down:
        return "stopped"
    again = datetime.fromtimestamp(record.again_at).astimezone()
    return f"failing, again at {again:%H:%M:%S}"


def _supervision(running: dict[str, Identity]) -> str:
    watcher = running.get(supervisor.NAME)
    if watcher is not None:
        return f"the supervisor (pid {watcher.pid}) brings back what dies"
    if running:
        return "the supervisor is not running: what dies stays dead. Fix: make up"
    return "nothing runs. Fix: make up"
