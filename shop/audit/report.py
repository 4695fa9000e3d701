"""`shop audit`: the findings as a table, and an exit code."""

import asyncio
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from shop import books
from shop.audit.checks import Audit, Finding, settled
from shop.stack.errors import StackError

_SHOWN: Final = 3
_SETTLE_S: Final = 10.0


def run() -> None:
    """Audit the local stack and print the report. Raises StackError if an invariant is broken."""
    findings = asyncio.run(_audited())
    _print(findings)
    broken = [finding for finding in findings if not finding.is_kept]
    if broken:
        raise StackError(
            f"{len(broken)} of {len(findings)} invariants do not hold",
            "read docs/runbook.md; under load, ask again once it has passed",
        )


async def _audited() -> list[Finding]:
    settings = books.of_environment_or_local()
    async with books.opened(settings) as databases:
        return await settled(Audit(databases, settings["order"]), within_s=_SETTLE_S)


def _print(findings: Sequence[Finding]) -> None:
    table = Table("", "invariant", "broken by", box=None)
    for finding in findings:
        mark = "[green]✓[/]" if finding.is_kept else "[red]✗[/]"
        shown = ", ".join(finding.offenders[:_SHOWN])
        more = (
            f" and {len(finding.offenders) - _SHOWN} more"
            if len(finding.offenders) > _SHOWN
            else ""
        )
        table.add_row(mark, finding.sentence, shown + more)
    Console().print(table)
