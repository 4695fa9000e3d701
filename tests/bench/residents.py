"""Memory of every process of the shop after the load."""

from tests.bench.report import Row
from tests.bench.stats import ratio
from tests.bench.world import LOCALSTACK, MYSQL, REDIS, SERVICES, WORKERS, World

SECTION = "Memory"
GOAL_EACH_MB = 120
GOAL_ALL_MB = 2500
MB_PER_MIB = 1.048576
OURS = (*SERVICES, *WORKERS)


def measure(world: World) -> list[Row]:
    world.need(*OURS)
    world.note_memory()
    seen = {name: mib * MB_PER_MIB for name, mib in world.resident_mib.items()}
    most = max(OURS, key=lambda name: seen[name])
    parts = [name for name in seen if name in (MYSQL, REDIS, LOCALSTACK)]
    total = sum(seen[name] for name in (*OURS, *parts))
    return [
        Row(
            "Each process of ours under 120 MB resident after the load",
            ", ".join(f"{name} {seen[name]:.0f}" for name in OURS) + " MB",
            f"{ratio(seen[most], GOAL_EACH_MB):.2f}",
            seen[most] < GOAL_EACH_MB,
        ),
        Row(
            "The whole local stack under 2.5 GB (here with one MySQL server in place of four)",
            f"{total:,.0f} MB; " + ", ".join(f"{name} {seen[name]:.0f}" for name in parts),
            f"{ratio(total, GOAL_ALL_MB):.2f}",
            total < GOAL_ALL_MB,
        ),
    ]
