"""Each fault of `make prove` can still be put in, and each item with a proof has one."""

import pytest

from tests.proofs.fault import Fault
from tests.proofs.faults.every import FAULTS
from tests.proofs.rows import ROOT, rows

SOURCE_FAULTS = [fault for fault in FAULTS if isinstance(fault, Fault)]


@pytest.mark.parametrize(
    "fault", SOURCE_FAULTS, ids=lambda fault: f"{fault.items[0]}: {fault.path}"
)
def test_what_a_fault_replaces_stands_once_in_its_file(fault: Fault) -> None:
    assert (ROOT / fault.path).read_text(encoding="utf-8").count(fault.old) == 1
    assert fault.old != fault.new


def test_every_item_with_a_proof_is_broken_by_a_fault() -> None:
    broken = {item for fault in FAULTS for item in fault.items}

    assert [row.item for row in rows() if row.tests and row.item not in broken] == []
