"""What a run of tests over a broken item says: a set-up that broke off proves nothing by itself."""

from tests.proofs.running import Outcome, outcome_of

ONE, TWO = "tests/unit/test_a.py::test_one", "tests/unit/test_a.py::test_two"


def test_a_run_that_ends_well_has_noticed_nothing() -> None:
    assert outcome_of([ONE], 0, "1 passed").is_green


def test_a_test_that_fails_has_noticed_the_fault() -> None:
    told = f"FAILED {ONE} - assert 1 == 2\n"
    assert outcome_of([ONE, TWO], 1, told) == Outcome(failed=frozenset({ONE}))


def test_a_test_whose_setup_broke_off_is_not_judged() -> None:
    told = f"FAILED {ONE}[case] - assert 1 == 2\nERROR {TWO} - the stack did not start\n"
    assert outcome_of([ONE, TWO], 1, told) == Outcome(frozenset({ONE}), frozenset({TWO}))


def test_a_run_that_broke_off_judges_no_test() -> None:
    assert outcome_of([ONE, TWO], 3, "INTERNALERROR") == Outcome(unjudged=frozenset({ONE, TWO}))
