"""The `shop` command: brings the local stack up and down, and carries the operator's tools."""

import importlib
import importlib.util
import logging
import os
import subprocess
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from shop.doctor import examine
from shop.plainly import told_plainly
from shop.stack import checks, choice, docker, localstack, memory, ports
from shop.stack.environment import LIVE_SETTINGS_PATH
from shop.stack.errors import StackError
from shop.stack.layout import PROCESS_NAMES, SERVICES, Layout
from shop.stack.memory import Kind
from shop.stack.native import NativeStack
from shop.stack.progress import Progress
from shop.status import show as print_status

ALL = "all"
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help=__doc__,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(no_args_is_help=True, help="Show the keys that sign tokens, and replace them.")
app.add_typer(keys, name="keys")
limits = typer.Typer(no_args_is_help=True, help="Show and change limits while the gateway runs.")
app.add_typer(limits, name="limits")
bus = typer.Typer(no_args_is_help=True, help="The event bus, which forgets when it stops.")
app.add_typer(bus, name="bus")
outbox = typer.Typer(no_args_is_help=True, help="The events that were published.")
app.add_typer(outbox, name="outbox")
console = Console()
OfServices = Annotated[bool, typer.Option("--service", help="The key services call each other by.")]
SigningFile = Annotated[
    Path | None, typer.Option(help="The file that signs, where it is not the local stack's.")
]

LimitKind = Annotated[
    str, typer.Option("--of", help="default, webhook, login, register, forgot or mfa")
]
InAws = Annotated[
    bool, typer.Option("--aws", help="In the account of your credentials, not the local stack.")
]
LivePath = Annotated[str, typer.Option(help="SHOP_LIVE_SETTINGS_PATH of the gateways.")]


@app.command()
def up(
    with_edge: Annotated[
        bool, typer.Option("--edge", help="Put nginx with TLS and a firewall in front.")
    ] = False,
) -> None:
    """Get what is missing and start the whole shop; what runs already is kept."""
    with told_plainly():
        stack = _stack(with_edge=with_edge)
        _warn_of_risky_ports(stack.layout)
        kind = Kind.DOCKER if isinstance(stack, docker.DockerStack) else Kind.NATIVE
        layout = stack.layout
        memory.remember(layout.home, kind, layout.ports, with_edge=layout.with_edge)
        try:
            stack.up()
        finally:
            if not stack.running():
                memory.forget(stack.layout.home)
        _print_addresses(stack.layout)


@app.command()
def down() -> None:
    """Finish what was taken, then stop everything; data, logs and downloads stay."""
    with told_plainly():
        stack = _stack()
        stack.stop(drain=True)
        memory.forget(stack.layout.home)
        console.print("The shop is down.")


@app.command()
def reset(
    everything: Annotated[bool, typer.Option("--all", help="Delete downloads, too.")] = False,
) -> None:
    """Stop everything and delete all data, logs and keys."""
    with told_plainly():
        stack = _stack()
        stack.reset(with_downloads=everything)
        memory.forget(stack.layout.home)
        console.print("The shop is down, its data is deleted.")


@app.command()
def restart(
    names: Annotated[list[str] | None, typer.Argument(help="Processes; none means all.")] = None,
) -> None:
    """Stop and start processes again, for example after a change of their code."""
    with told_plainly():
        stack = _native("restart")
        stack.restart([_known(name, PROCESS_NAMES) for name in names or PROCESS_NAMES])


@app.command()
def status() -> None:
    """Show every part and process: where it listens, whether it answers, what it uses."""
    with told_plainly():
        stack = _stack()
        if isinstance(stack, docker.DockerStack):
            stack.status()
        else:
            print_status(stack, console)


@app.command()
def logs(
    process: Annotated[str | None, typer.Argument(help="One process; none means all.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1)] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f")] = False,
) -> None:
    """Show the last lines of the logs."""
    with told_plainly():
        stack = _stack()
        if isinstance(stack, docker.DockerStack):
            stack.logs(process, lines=lines, follow=follow)
            return
        found = {path.stem: path for path in sorted(stack.layout.logs.glob("*.log"))}
        if not found:
            raise StackError("there are no logs yet", "make up")
        chosen = [found[_known(process, found)]] if process else list(found.values())
        arguments = ("--follow",) if follow else ()
        subprocess.run(("tail", f"--lines={lines}", *arguments, *map(str, chosen)), check=False)


@app.command()
def migrate(
    service: Annotated[str, typer.Argument(help="user, catalog, order, notification or all")] = ALL,
) -> None:
    """Bring a database to its newest schema: SHOP_DATABASE_URL's, else the local stack's."""
    with told_plainly():
        if service != ALL:
            _known(service, SERVICES)
        url = os.environ.get("SHOP_DATABASE_URL")
        if url and service != ALL:
            # Loaded here alone: Alembic takes a second, and no other command needs it.
            importlib.import_module("shop.migrations").upgrade(service, url)
            return
        _stack().migrate(list(SERVICES) if service == ALL else [service])


@app.command()
def queues() -> None:
    """Create topics, queues, dead letter queues and mail identities on the local stack."""
    with told_plainly():
        localstack.create_queues(Layout.local(), Progress(console))


@app.command()
def doctor() -> None:
    """Check this machine for what the shop needs, each finding with its fix."""
    with told_plainly():
        layout, docker_answers = Layout.local(), docker.engine_answers()
        remembered = memory.recall_kind(layout.home)
        kind = choice.choose(os.environ, remembered, lambda: docker_answers)
        findings = examine(layout, kind=kind, docker_answers=docker_answers)
        for finding in findings:
            console.print(finding.line, highlight=False, soft_wrap=True, markup=False)
        if any(finding.is_fatal and not finding.is_fine for finding in findings):
            raise typer.Exit(1)


@app.command()
def seed(
    products: Annotated[
        int | None, typer.Option(help="As many in all; more than those written by hand: made up.")
    ] = None,
) -> None:
    """Fill the catalogue and the dev logins; repeating it changes nothing."""
    _run_tool("shop.seed", products=products)


@app.command()
def demo() -> None:
    """Place one order through the gateway and print its fourteen steps."""
    _run_tool("shop.demo")


@app.command()
def flashsale(
    buyers: Annotated[int, typer.Option(help="People at the door, each with one order.")] = 1000,
    stock: Annotated[int, typer.Option(help="Units of the one item.")] = 100,
    quantity: Annotated[int, typer.Option(help="Units each buyer wants.")] = 1,
    seed: Annotated[int, typer.Option(help="Shuffles the buyers.")] = 1,
) -> None:
    """Hold a flash sale in the running shop and prove that it sold exactly what was there."""
    _run_tool("shop.flashsale.command", buyers=buyers, stock=stock, quantity=quantity, seed=seed)


@app.command()
def audit() -> None:
    """Check the invariants of stock, orders, payments and mails in the databases."""
    _run_tool("shop.audit")


@app.command()
def reindex(
    target: Annotated[str, typer.Argument(help="mysql or elasticsearch")] = "mysql",
) -> None:
    """Make a search index anew while the shop is open; the catalog's worker does it."""
    _run_tool("shop.reindex", target=target)


@keys.command("list")
def list_keys(service: OfServices = False, file: SigningFile = None) -> None:
    """Show which key signs, which signs next, and which are still believed."""
    _run_tool("shop.keys", "show", service=service, file=file)


@keys.command("rotate")
def rotate_keys(
    service: OfServices = False,
    now: Annotated[
        bool, typer.Option("--now", help="The key leaked: all its tokens end with it.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="The waiting key leaked, too; implies --now.")
    ] = False,
    file: SigningFile = None,
) -> None:
    """Let the next key sign; nobody is logged out, unless the old one leaked."""
    _run_tool("shop.keys", "rotate", service=service, now=now, all_keys=everything, file=file)


@limits.command("show")
def show_limits(in_aws: InAws = False, path: LivePath = LIVE_SETTINGS_PATH) -> None:
    """Show which limits are changed."""
    _run_tool("shop.limits", "show", is_aws=in_aws, path=path)


@limits.command("set")
def set_limit(
    per_minute: Annotated[int, typer.Option(min=1, max=1_000_000, help="Requests in any 60 s.")],
    kind: LimitKind = "default",
    in_aws: InAws = False,
    path: LivePath = LIVE_SETTINGS_PATH,
) -> None:
    """Change a limit at every gateway within 5 s; it stays when they are restarted."""
    _run_tool("shop.limits", "change", per_minute=per_minute, kind=kind, is_aws=in_aws, path=path)


@limits.command("reset")
def reset_limit(
    kind: LimitKind = "default", in_aws: InAws = False, path: LivePath = LIVE_SETTINGS_PATH
) -> None:
    """Go back to the limit that the gateways were started with."""
    _run_tool("shop.limits", "reset", kind=kind, is_aws=in_aws, path=path)


@bus.command("replay")
def replay_bus() -> None:
    """Publish again what a bus that lost its queues cannot know; if it lost none, nothing."""
    _run_tool("shop.bus", "run_replay")


@bus.command("drain")
def drain_bus() -> None:
    """Wait until outboxes and queues are empty, for as long as something moves."""
    _run_tool("shop.bus", "run_drain")


@bus.command("keep")
def keep_bus() -> None:
    """Do what `replay` does whenever it is needed, until stopped."""
    _run_tool("shop.bus", "run_keep")


@outbox.command("replay")
def replay_outbox(
    since: Annotated[str, typer.Option(help="90m, 2h, 7d, or a time such as 2026-11-30T18:00Z")],
    service: Annotated[str, typer.Option(help="user, catalog, order or all")] = ALL,
) -> None:
    """Publish events again that did not arrive; lost links of mails are made anew."""
    _run_tool("shop.replay", service=service, since=since)


def _run_tool(module: str, name: str = "run", **arguments: object) -> None:
    """Load a tool only when it is called: each brings libraries that `shop up` does without."""
    with told_plainly():
        if importlib.util.find_spec(module) is None:
            raise StackError(f"{module} is not part of this installation", "reinstall the shop")
        tool = getattr(importlib.import_module(module), name)
        _silence_logs()
        tool(**arguments)


def _silence_logs() -> None:
    """Tell an outage once, as the error it ends in, and not also as each driver logs it."""
    structlog = importlib.import_module("structlog")
    nothing = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=nothing, cache_logger_on_first_use=False)
    logging.getLogger().addHandler(logging.NullHandler())


def _stack(*, with_edge: bool = False) -> NativeStack | docker.DockerStack:
    """Return the stack of this machine: with the edge if asked for, or if it is up with it."""
    layout, progress = Layout.local(), Progress(console)
    layout = replace(layout, with_edge=with_edge or layout.with_edge)
    remembered = memory.recall_kind(layout.home)
    if choice.choose(os.environ, remembered, docker.engine_answers) is Kind.DOCKER:
        return docker.DockerStack(layout, progress)
    checks.refuse_other_systems()
    return NativeStack(layout, progress)


def _warn_of_risky_ports(layout: Layout) -> None:
    warning = ports.Outgoing.of_this_machine().warning(layout.wanted_ports())
    if warning is not None:
        Progress(console).warn(str(warning))


def _native(command: str) -> NativeStack:
    stack = _stack()
    if isinstance(stack, docker.DockerStack):
        raise StackError(f"`shop {command}` is for the stack without Docker", "use docker compose")
    return stack


def _known(name: str, names: Collection[str]) -> str:
    if name not in names:
        raise StackError(f"there is no {name!r}", f"choose one of {', '.join(names)}")
    return name


def _print_addresses(layout: Layout) -> None:
    console.print("[bold]The shop is up[/]")
    if layout.with_edge:
        address = f"https://localhost:{layout.ports.edge}"
        console.print(f"  edge             {address} (self-signed)", highlight=False)
    console.print(f"  gateway          {layout.url('gateway')} (the API: /docs)", highlight=False)
    for name in SERVICES:
        console.print(f"  {name:<16} {layout.url(name)}", highlight=False)
    console.print(f"  redis commander  {layout.url('redis-commander')}", highlight=False)
    console.print("  next: make demo, make status, make down", highlight=False)
