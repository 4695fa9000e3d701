"""The audit of a running platform: its invariants, checked in the databases and the queues."""

from shop.audit.checks import SETTLE_S, Audit, Finding, open_audit, settled
from shop.audit.report import run
from shop.audit.rules import RULES, Rule

__all__ = [
    "RULES",
    "SETTLE_S",
    "Audit",
    "Finding",
    "Rule",
    "open_audit",
    "run",
    "settled",
]
