"""The MySQL servers: finding or fetching a server, its data directories, how each is started."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from configparser import ConfigParser
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from shop.stack import debian
from shop.stack.credentials import Secrets
from shop.stack.errors import StackError
from shop.stack.layout import CHOICE_VARIABLE, DATABASE_USER, REPOSITORY, Layout
from shop.stack.ports import LOOPBACK
from shop.stack.processes import Spec
from shop.stack.progress import Progress, Step, run_logged

OLDEST_MYSQL = (8, 4)
COLLATION = "utf8mb4_unicode_520_ci"
PACKET_HEADER_BYTES = 4
PROTOCOL_VERSION = b"\x0a"
READ_TIMEOUT_S = 1.0
MYSQL, MARIADB = "mysql", "mariadb"

# The same that Compose gives its servers.
SETTINGS = REPOSITORY / "deploy/mysql/shop.cnf"
# Where the server lives on this machine, and what the image sets by itself.
PLACE = (
    f"--bind-address={LOOPBACK}",
    "--socket=mysql.sock",
    "--pid-file=mysqld.pid",
    "--server-id=1",
    "--log-bin=binlog",
)
# What MariaDB has in place of settings it does not know; None: it has nothing of the kind.
MARIADB_NAMES: Mapping[str, str | None] = {
    "gtid-mode": None,  # its own GTIDs are always on
    "enforce-gtid-consistency": None,
    "mysqlx": None,
    "innodb-redo-log-capacity": "innodb-log-file-size",
    "secure-file-priv": None,  # empty there means everywhere
}
SYSTEM_TABLES = (
    "system_tables",
    "performance_tables",
    "system_tables_data",
    "sys_schema",
)


@dataclass(frozen=True)
class Server:
    """A MySQL-protocol server that can be run on this machine."""

    family: str
    version: str
    command: tuple[str, ...]
    share: str

    @property
    def label(self) -> str:
        return f"{'MySQL' if self.family == MYSQL else 'MariaDB'} {self.version}"


def choose(layout: Layout, progress: Progress) -> Server:
    """Find the server its data was made with, else the first that can be had."""
    chosen = _remembered(layout)
    if chosen is None:
        chosen = _first_that_works(layout, progress)
        _remember(layout, chosen)
    if chosen.family == MARIADB:
        progress.warn(f"using {chosen.label} in place of MySQL: same protocol, other server")
    return chosen


def at_hand(layout: Layout) -> Server | None:
    """Return the server that needs no fetching: its data's own, else as ``choose`` would find it.

    Raises StackError if the data was made by one that is gone.
    """
    remembered = _remembered(layout)
    if remembered is not None:
        return remembered
    families = [family for family in (MYSQL, MARIADB) if _wanted() in ("auto", family)]
    found = (server for family in families for server in (_on_path(family), _tree(layout, family)))
    return next((server for server in found if server is not None), None)


def is_fetched(layout: Layout) -> bool:
    """Whether a server is at hand without fetching anything."""
    return any((_on_path(MYSQL), _tree(layout, MYSQL), _tree(layout, MARIADB), _on_path(MARIADB)))


def prepare_data(layout: Layout, server: Server, name: str) -> None:
    """Give the server its data directory, copied from a template that is made once."""
    data = layout.data / name
    _scratch(data).mkdir(parents=True, exist_ok=True)
    if not data.exists():
        draft = data.with_name(f"{name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(_template(layout, server), draft)
        draft.rename(data)


def spec(layout: Layout, server: Server, secrets: Secrets, name: str) -> Spec:
    databases = layout.mysql_servers()[name]
    data = layout.data / name
    init = layout.keys / f"{name}.sql"
    init.touch(mode=0o600)
    init.write_text(_init_sql(databases, secrets.mysql_password, scratch=layout.profile == "test"))
    argv = (
        *_base(server, data),
        *PLACE,
        *arguments(server.family),
        f"--port={layout.ports.of(name)}",
        f"--init-file={init}",
    )
    # Left by a server that was killed: a recycled pid in the lock would forbid the next start.
    leftovers = tuple(str(data / file) for file in ("mysql.sock", "mysql.sock.lock", "mysqld.pid"))
    env = debian.environment_of(server.command)
    return Spec(name=name, argv=argv, env=env, cwd=layout.home, leftovers=leftovers)


def greets(port: int) -> bool:
    """Whether a server sends its greeting, which it does only once its init file has run."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=READ_TIMEOUT_S) as connection:
            greeting = connection.recv(PACKET_HEADER_BYTES + len(PROTOCOL_VERSION))
    except OSError:
        return False
    return greeting[PACKET_HEADER_BYTES:] == PROTOCOL_VERSION


def parse_version(text: str) -> tuple[str, str] | None:
    """Family and version from the answer of ``mysqld --version``, or None."""
    found = re.search(r"Ver (\d+(?:\.\d+)+)(\S*)", text)
    if found is None:
        return None
    family = MARIADB if "mariadb" in text.lower() else MYSQL
    return family, found[1]


def is_new_enough(version: str) -> bool:
    return tuple(int(part) for part in version.split(".")[:2]) >= OLDEST_MYSQL


def _first_that_works(layout: Layout, progress: Progress) -> Server:
    refusals: list[StackError] = []
    for find in _candidates(layout, progress):
        try:
            server = find()
            if server is not None:
                _make_template(layout, server, progress)
                return server
        except StackError as error:
            refusals.append(error)
            progress.warn(error.cause)
    raise _none_to_be_had(refusals)


def _none_to_be_had(refusals: Sequence[StackError]) -> StackError:
    causes = "; ".join(dict.fromkeys(error.cause for error in refusals)) or "none found"
    install = "install one (Debian: apt-get install mariadb-server-core), or use STACK=docker"
    fixes = dict.fromkeys((*(error.fix for error in refusals), install))
    return StackError(f"no MySQL server could be had ({causes})", ", or ".join(fixes))


def _candidates(layout: Layout, progress: Progress) -> Iterator[Callable[[], Server | None]]:
    wanted = _wanted()
    for family in (MYSQL, MARIADB):
        if wanted in ("auto", family):
            yield partial(_on_path, family)
            yield partial(_fetched, layout, progress, family)


def _wanted() -> str:
    """Return the family that is asked for, or `auto`."""
    wanted = os.environ.get(CHOICE_VARIABLE, "auto")
    if wanted not in ("auto", MYSQL, MARIADB):
        raise StackError(
            f"{CHOICE_VARIABLE} must be auto, {MYSQL} or {MARIADB}, but is {wanted!r}", "unset it"
        )
    return wanted


def _on_path(family: str) -> Server | None:
    program = {MYSQL: "mysqld", MARIADB: "mariadbd"}[family]
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    path = shutil.which(program, path=places)
    if path is None:
        return None
    share = Path(path).resolve().parents[1] / "share/mysql"
    server = _identify((path,), share)
    return server if server and server.family == family else None


def _fetched(layout: Layout, progress: Progress, family: str) -> Server | None:
    known = _tree(layout, family)
    if known is not None:
        return known
    source = debian.release()
    suite, package = _package(family, source)
    with progress.step(f"fetching {package} from {source.distribution.title()} {suite}") as step:
        root = layout.downloads / family
        debian.fetch(root, source, suite, [package], step)
        progress.done(
            f"fetched {package} from {source.distribution.title()} {suite}", step.elapsed_s
        )
    return _tree(layout, family)


def _package(family: str, source: debian.Release) -> tuple[str, str]:
    if family == MARIADB:
        return source.codename, "mariadb-server-core"
    if source.distribution == "ubuntu":
        return source.codename, "mysql-server-core-8.4"
    # Debian's releases carry MariaDB only; MySQL is kept in its rolling suite.
    return "sid", "mysql-server-core"


def _tree(layout: Layout, family: str) -> Server | None:
    program = {MYSQL: "usr/sbin/mysqld", MARIADB: "usr/sbin/mariadbd"}[family]
    tree = debian.Tree(layout.downloads / family)
    if not tree.holds(program):
        return None
    return _identify(tree.command(program), tree.root / "usr/share/mysql")


def _identify(command: Sequence[str], share: Path) -> Server | None:
    answer = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    found = parse_version(answer.stdout)
    if found is None:
        return None
    family, version = found
    if family == MYSQL and not is_new_enough(version):
        return None
    return Server(family, version, tuple(command), str(share))


def _base(server: Server, data: Path) -> tuple[str, ...]:
    usr = Path(server.share).parents[1]
    as_root = ("--user=root",) if os.geteuid() == 0 else ()
    own_files = (
        (
            f"--basedir={usr}",
            f"--lc-messages-dir={server.share}",
            f"--character-sets-dir={server.share}/charsets",
            f"--plugin-dir={usr}/lib/mysql/plugin",
        )
        if len(server.command) > 1
        else ()
    )
    folders = (f"--datadir={data}", f"--tmpdir={_scratch(data)}")
    return (*server.command, "--no-defaults", *folders, *own_files, *as_root)


def arguments(family: str) -> tuple[str, ...]:
    """Return the settings of the shop as a server of that family takes them."""
    names = MARIADB_NAMES if family == MARIADB else {}
    given = {names.get(name, name): value for name, value in settings().items()}
    return tuple(f"--{name}={value}" for name, value in given.items() if name is not None)


def settings() -> dict[str, str]:
    """Read the settings of the shop's servers, by name."""
    file = ConfigParser(interpolation=None)
    file.read_string(SETTINGS.read_text())
    return dict(file["mysqld"])


def _scratch(data: Path) -> Path:
    """Return where a server keeps temporary files: alone, as each clears the folder it is given."""
    return data.with_name(f"{data.name}.tmp")


def _template(layout: Layout, server: Server) -> Path:
    return layout.downloads / "cache" / f"template-{server.family}-{server.version}"


def _make_template(layout: Layout, server: Server, progress: Progress) -> None:
    template = _template(layout, server)
    if template.exists():
        return
    draft = template.with_name(f"{template.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        with progress.step(f"initialising {server.label}") as step:
            _initialise(layout, server, draft, step)
            progress.done(f"initialised {server.label}", step.elapsed_s)
        (draft / "auto.cnf").unlink(missing_ok=True)
        draft.rename(template)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(_scratch(draft), ignore_errors=True)


def _initialise(layout: Layout, server: Server, data: Path, step: Step) -> None:
    log = layout.downloads / "log" / "mysql-initialise.log"
    env = debian.environment_of(server.command)
    _scratch(data).mkdir(exist_ok=True)
    if server.family == MYSQL:
        command = [*_base(server, data), *arguments(MYSQL), "--initialize-insecure"]
        run_logged(step, command, log, env=env)
        return
    sql = data.with_name("bootstrap.sql")
    sql.write_text(_system_tables_sql(Path(server.share)))
    bootstrap = [*_base(server, data), *arguments(MARIADB), "--bootstrap", "--skip-log-bin"]
    with sql.open("rb") as script:
        run_logged(step, bootstrap, log, env=env, stdin=script)
    sql.unlink()


def _system_tables_sql(share: Path) -> str:
    """Return what mariadb-install-db feeds the server, for a root account without password."""
    opening = "CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
    files = [path for name in SYSTEM_TABLES for path in sorted(share.glob(f"m*_{name}.sql"))]
    return opening + "\n".join(path.read_text() for path in files)


def _init_sql(databases: Sequence[str], password: str, *, scratch: bool) -> str:
    """Run by the server at each start before it accepts anybody; each statement on one line."""
    account = f"'{DATABASE_USER}'@'{LOOPBACK}'"
    lines = [
        "DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1';",
        f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{password}';",
        f"ALTER USER {account} IDENTIFIED BY '{password}';",
    ]
    for database in databases:
        lines.append(
            f"CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4 COLLATE {COLLATION};"
        )
        lines.append(f"GRANT ALL ON {database}.* TO {account};")
    if scratch:
        lines.append(f"GRANT ALL ON `scratch\\_%`.* TO {account};")
    return "\n".join(lines) + "\n"


def _remembered(layout: Layout) -> Server | None:
    try:
        stored = json.loads((layout.data / "mysql-server.json").read_text())
    except OSError:
        return None
    server = Server(**{**stored, "command": tuple(stored["command"])})
    programs = (server.command[0], server.command[-1])
    missing = [program for program in programs if not Path(program).exists()]
    if missing:
        raise StackError(
            f"the data was made by {server.label}, but {missing[0]} is gone",
            "make reset (deletes the data), then make up",
        )
    return server


def _remember(layout: Layout, server: Server) -> None:
    layout.data.mkdir(parents=True, exist_ok=True)
    (layout.data / "mysql-server.json").write_text(json.dumps(asdict(server)))
