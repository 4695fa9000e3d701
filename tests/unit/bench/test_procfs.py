from tests.bench.procfs import ProcessStat, family, parse_stat

# pid (comm) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt
# utime stime cutime cstime ...
LINE = "4242 (nginx: worker (1) x) S 4200 4200 4200 0 -1 4194624 10 11 12 13 250 50 7 3 20 0 1 0"


def test_user_system_and_waited_for_children_are_summed() -> None:
    assert parse_stat(LINE) == ProcessStat(pid=4242, parent=4200, ticks=310)


def test_a_command_with_spaces_and_parentheses_is_no_trap() -> None:
    assert parse_stat("7 (a) b) R 1 0 0 0 0 0 0 0 0 0 1 2 3 4 0").ticks == 10


def test_a_family_is_the_process_with_all_its_descendants() -> None:
    everybody = [
        ProcessStat(12, 11, 4),
        ProcessStat(10, 1, 1),
        ProcessStat(11, 10, 2),
        ProcessStat(20, 1, 8),
    ]

    assert sorted(stat.pid for stat in family(10, everybody)) == [10, 11, 12]


def test_a_process_that_is_gone_has_no_family() -> None:
    assert family(99, [ProcessStat(10, 1, 1)]) == []
