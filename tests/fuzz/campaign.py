"""One run: scenarios of requests, each built on the answers before, until there are enough."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import schemathesis
from schemathesis import BaseSchema
from schemathesis.config import (
    ChecksConfig,
    CoveragePhaseConfig,
    ExamplesPhaseConfig,
    FuzzingPhaseConfig,
    GenerationConfig,
    OperationConfig,
    OperationsConfig,
    PhasesConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
    StatefulPhaseConfig,
)
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import CheckNode, ScenarioRecorder

from tests.fuzz.callers import Callers

FOR_COVERAGE: Final = 50_000
# Everybody has one of each; DELETE empties it, and an empty one is shown.
EMPTIED_BY_DELETE: Final = "^/api/(cart|wishlists)/"
# The share of requests that stand alone, made by chance.
BY_CHANCE: Final = 0.4

Progress = Callable[["Report"], None]


@dataclass(frozen=True)
class Breach:
    """A promise that an answer broke: the same one is told once, and counted."""

    operation: str
    promise: str
    told: str
    request: str

    @property
    def kind(self) -> tuple[str, str, str]:
        return self.operation, self.promise, self.told.partition("\n")[0]


@dataclass
class Report:
    seed: int
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    # Operations that answered a success at least once.
    succeeded: set[str] = field(default_factory=set)
    breaches: dict[tuple[str, str, str], Breach] = field(default_factory=dict)
    seen: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    # Breaches that nobody was told of yet.
    news: list[Breach] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.breaches and not self.errors

    def take(self, recorder: ScenarioRecorder) -> None:
        for case_id, interaction in recorder.interactions.items():
            label = recorder.cases[case_id].value.operation.label
            self.requests += 1
            self.operations[label] += 1
            if interaction.response is None:
                self.errors.append(f"{label}: no answer")
                continue
            status = interaction.response.status_code
            self.statuses[status] += 1
            if status < 400:
                self.succeeded.add(label)
        for case_id, checks in recorder.checks.items():
            label = recorder.cases[case_id].value.operation.label
            for check in checks:
                if check.status is Status.FAILURE:
                    self._note(label, check)

    def _note(self, label: str, check: CheckNode) -> None:
        info = check.failure_info
        told = f"{info.failure.title}: {info.failure.message}" if info is not None else ""
        breach = Breach(label, check.name, told, info.code_sample if info is not None else "")
        if breach.kind not in self.breaches:
            self.breaches[breach.kind] = breach
            self.news.append(breach)
        self.seen[breach.kind] += 1


def run(gateway: str, *, requests: int, seed: int, progress: Progress) -> Report:
    """Send at least so many requests and hold every answer against the documents.

    First the edges of what each operation takes, then what chance makes of it, then walks from
    answer to answer; walks again, from other seeds, until there are enough.
    """
    report = Report(seed)
    callers = Callers(gateway, seed)
    document = _document(gateway)
    try:
        for lap in itertools.count():
            phases = _phases(document, requests - report.requests, is_first=lap == 0)
            schema = schemathesis.openapi.from_dict(document, config=_config(gateway, seed, phases))
            schema.auth.providers.append(callers)
            _walk(schema, report, requests, progress)
            seed += 1
            if report.requests >= requests:
                return report
    finally:
        callers.close()
    return report


def _walk(schema: BaseSchema, report: Report, requests: int, progress: Progress) -> None:
    stream = from_schema(schema).execute()
    for event in stream:
        _hear(event, report)
        progress(report)
        if report.requests >= requests:
            stream.stop()


def _phases(document: Mapping[str, Any], requests: int, *, is_first: bool) -> PhasesConfig:
    """Return how much of each kind is generated; walks go on until they are stopped."""
    operations = sum(len(each) for each in document["paths"].values())
    by_chance = max(1, int(requests * BY_CHANCE / operations))
    return PhasesConfig(
        examples=ExamplesPhaseConfig(enabled=False),
        # It goes through one operation after the other, and needs a few hundred for each.
        coverage=CoveragePhaseConfig(enabled=is_first and requests >= FOR_COVERAGE),
        fuzzing=FuzzingPhaseConfig(
            enabled=is_first, generation=GenerationConfig(max_examples=by_chance)
        ),
        stateful=StatefulPhaseConfig(generation=GenerationConfig(max_examples=requests)),
    )


def _hear(event: Any, report: Report) -> None:
    if isinstance(event, events.ScenarioFinished):
        report.take(event.recorder)
    elif isinstance(event, events.NonFatalError):
        report.errors.append(f"{event.label}: {event.value!r}"[:500])
    elif isinstance(event, events.FatalError):
        raise event.exception


def _document(gateway: str) -> dict[str, Any]:
    answer = httpx2.get(f"{gateway}/openapi.json")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def _config(gateway: str, seed: int, phases: PhasesConfig) -> SchemathesisConfig:
    checks = ChecksConfig.from_dict(
        {
            # A body that is too large is refused with 413, unread; which code it is, the document
            # says, and that it is no 5xx, another check.
            "negative_data_rejection": {"expected-statuses": ["4xx", "5xx"]},
            # What is refused or taken has rules that no schema tells: stock, rights, states.
            "positive_data_acceptance": {"enabled": False},
            # Ids in paths are shared by purpose; the matrix of rights looks at whose they are.
            "object_level_authorization": {"enabled": False},
        }
    )
    emptied = OperationConfig.from_dict(
        {
            "include-path-regex": EMPTIED_BY_DELETE,
            "checks": {"use_after_free": {"enabled": False}},
        }
    )
    project = ProjectConfig(
        base_url=gateway,
        checks=checks,
        operations=OperationsConfig(operations=[emptied]),
        continue_on_failure=True,
        request_timeout=30,
        phases=phases,
        # Kept examples would be of no use: ids and tokens are others in every run.
        generation=GenerationConfig(no_shrink=True, database="none"),
    )
    return SchemathesisConfig(
        seed=seed,
        projects=ProjectsConfig(default=project),
    )
