"""Fetching from registries: what fails once is tried again before anybody is told."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_chain, wait_fixed

from shop.stack.errors import StackError
from shop.stack.progress import Step, run_logged

# Between four tries: enough for a mirror that changes or a link that is down for a moment, and an
# offline machine is told of it within a quarter of a minute.
PAUSES_S = (1.0, 3.0, 9.0)


def run(
    step: Step,
    *commands: Sequence[str],
    log: Path,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run commands that fetch, all again if one fails, up to four times.

    Each must take up what an earlier try has left behind, or replace it. Raises StackError with the
    reason of the last try.
    """
    tries = Retrying(
        retry=retry_if_exception_type(StackError),
        stop=stop_after_attempt(len(PAUSES_S) + 1),
        wait=wait_chain(*(wait_fixed(pause_s) for pause_s in PAUSES_S)),
        before_sleep=partial(_tell, step),
        reraise=True,
    )
    tries(_run_all, step, commands, log, env)


def _run_all(
    step: Step, commands: Sequence[Sequence[str]], log: Path, env: Mapping[str, str] | None
) -> None:
    for command in commands:
        run_logged(step, command, log, env=env)


def _tell(step: Step, state: RetryCallState) -> None:
    text = f"{step.label}: try {state.attempt_number} failed, again in {state.upcoming_sleep:.0f} s"
    step.remark(text)
