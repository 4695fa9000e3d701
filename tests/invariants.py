"""The invariants of the order protocol, asserted on a running stack."""

from shop import audit
from shop.stack.native import NativeStack


async def assert_invariants(stack: NativeStack, *, within_s: float = audit.SETTLE_S) -> None:
    """Wait until every invariant holds; AssertionError naming the broken ones at the deadline."""
    checks = audit.open_audit(stack)
    try:
        findings = await audit.settled(checks, within_s=within_s)
    finally:
        await checks.close()
    broken = [f"{f.sentence}: {f.offenders[:5]}" for f in findings if not f.is_kept]
    assert not broken, "\n".join(broken)
