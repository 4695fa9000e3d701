"""LocalStack without Docker: its own environment from PyPI, and the topology of the event bus."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from shop.stack import venvs
from shop.stack.environment import aws_environment
from shop.stack.errors import StackError
from shop.stack.layout import REPOSITORY, Layout
from shop.stack.ports import LOOPBACK
from shop.stack.processes import Command, Spec
from shop.stack.progress import Progress, Step, last_line, run_logged

NAME = "localstack"
VERSION = "4.13.1"
REQUIREMENTS = Path(__file__).with_name("localstack-requirements.txt")
LAUNCHER = Path(__file__).with_name("localstack_launch.py")
INIT_SCRIPT = REPOSITORY / "localstack-init.sh"
# Where it looks for what was made when it was built, below FILESYSTEM_ROOT.
STATIC = "usr/lib/localstack"
AWS_SERVICES = "sns,sqs,ses,s3,cloudwatch,sts,iam,ssm,secretsmanager"


def prepare(layout: Layout, progress: Progress) -> None:
    """Fetch LocalStack if it is not there yet, and make its index of all that AWS has."""
    if not is_fetched(layout):
        label = f"LocalStack {VERSION} from PyPI (about 430 MB on disk)"
        with progress.step(f"fetching {label}") as step:
            venvs.create(_venv(layout), ["--no-deps", "-r", str(REQUIREMENTS)], step)
            progress.done(f"fetched LocalStack {VERSION}", step.elapsed_s)
    if not _index(layout).exists():
        with progress.step(f"indexing LocalStack {VERSION}") as step:
            _make_index(layout, step)
            progress.done(f"indexed LocalStack {VERSION}", step.elapsed_s)
    place = layout.data / NAME / STATIC
    shutil.copytree(_index(layout) / STATIC, place, dirs_exist_ok=True)


def _make_index(layout: Layout, step: Step) -> None:
    """Run LocalStack's own build step; a LocalStack without an index makes one while it starts.

    That takes seconds, and 440 MB which it never gives back.
    """
    draft = _index(layout).with_name(f"{_index(layout).name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    (draft / STATIC).mkdir(parents=True)
    settings = _environment(draft, layout.ports.localstack)
    log = layout.downloads / "log" / "localstack-index.log"
    command = [venvs.python(_venv(layout)), "-m", "localstack.aws.spec"]
    run_logged(step, command, log, env={**os.environ, **settings})
    draft.rename(_index(layout))


def is_fetched(layout: Layout) -> bool:
    return venvs.is_complete(_venv(layout))


def spec(layout: Layout) -> Spec:
    files = layout.data / NAME
    (files / "tmp").mkdir(parents=True, exist_ok=True)
    wiring = _environment(files, layout.ports.localstack) | quiet(layout)
    return Spec(
        name=NAME,
        argv=(venvs.python(_venv(layout)), "-P", str(LAUNCHER)),
        env={**os.environ, **wiring},
        cwd=layout.home,
        wiring=wiring,
    )


def quiet(layout: Layout) -> dict[str, str]:
    """Return what a test stack goes without: metrics of queues, for nobody looks at them.

    Each message costs it several calls of its own, nine tenths of all that it does.
    """
    return {"SQS_DISABLE_CLOUDWATCH_METRICS": "1"} if layout.profile == "test" else {}


def after_start(tools: Mapping[str, str]) -> Command:
    """Return what gives a LocalStack that was started anew its queues, and what it forgot.

    ``tools`` is the environment in which our own tools find the stack.
    """
    script = f'bash "{INIT_SCRIPT}" && exec "{sys.executable}" -m shop bus replay'
    return Command(("bash", "-c", script), {**tools, "INIT_PYTHON": sys.executable})


def create_queues(layout: Layout, progress: Progress) -> None:
    """Create topics, queues, dead letter queues and identities; repeating it changes nothing."""
    log = layout.logs / "localstack-init.log"
    if not INIT_SCRIPT.exists():
        raise StackError(f"{INIT_SCRIPT.name} is missing", "git checkout localstack-init.sh")
    env = {**os.environ, **aws_environment(layout), "INIT_PYTHON": sys.executable}
    with progress.step("creating topics and queues") as step:
        run_logged(step, ["bash", str(INIT_SCRIPT)], log, env=env)
        progress.done(last_line(log), step.elapsed_s)


def _venv(layout: Layout) -> Path:
    return layout.downloads / NAME


def _index(layout: Layout) -> Path:
    return layout.downloads / "cache" / f"{NAME}-{VERSION}"


def _environment(files: Path, port: int) -> dict[str, str]:
    return {
        "GATEWAY_LISTEN": f"{LOOPBACK}:{port}",
        "LOCALSTACK_HOST": f"{LOOPBACK}:{port}",
        "SQS_ENDPOINT_STRATEGY": "path",
        "FILESYSTEM_ROOT": str(files),
        # Inside any container it takes itself for its own image and writes to /var/lib.
        "OVERRIDE_IN_DOCKER": "0",
        "TMPDIR": str(files / "tmp"),
        # It reads its index of plugins half written if another LocalStack starts beside it.
        "XDG_CACHE_HOME": str(files / "cache"),
        "SERVICES": AWS_SERVICES,
        "SQS_CLOUDWATCH_METRICS_REPORT_INTERVAL": "5",
        "S3_SKIP_SIGNATURE_VALIDATION": "0",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "DNS_ADDRESS": "0",
        "LS_LOG": "error",
    }
