"""The image for Docker cannot be built everywhere; what it gives nginx to read can be tried."""

import re
import subprocess
from pathlib import Path

import yaml

from shop.stack import debian
from shop.stack.docker import COMPOSE_FILE
from shop.stack.edge import FILES, NGINX, TEMPLATE, Edge, filled_in

PLACE = re.compile(r"\$\{(EDGE_[A-Z_]+)\}")


def usual_values() -> dict[str, str]:
    """What the image and Compose fill the template with, where nothing is set."""
    image = (FILES / "Dockerfile").read_text().replace("\\\n", "")
    values = dict(re.findall(r'(EDGE_[A-Z_]+)="?([^"\s]*)"?', image.partition("\nENV ")[2]))
    services = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
    given = services["edge"]["environment"]
    return values | {name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", text) for name, text in given.items()}


def test_every_place_of_the_template_is_filled_in_both_ways(edge: Edge) -> None:
    places = set(PLACE.findall((FILES / TEMPLATE).read_text()))

    assert places == set(usual_values())
    assert places == set(edge.values())


def test_nginx_takes_what_the_image_gives_it(edge: Edge, tmp_path: Path) -> None:
    here = {name: edge.values()[name] for name in ("EDGE_ROOT", "EDGE_FILES", "EDGE_CERTIFICATES")}
    values = usual_values() | here | {"EDGE_RUN": str(tmp_path)}
    (tmp_path / "nginx.conf").write_text(filled_in((FILES / TEMPLATE).read_text(), values))
    nginx = debian.Tree(Path(values["EDGE_ROOT"])).command(NGINX)

    tried = subprocess.run(
        (*nginx, "-t", "-e", "stderr", "-p", str(tmp_path), "-c", "nginx.conf"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert tried.returncode == 0, tried.stderr
    assert "test is successful" in tried.stderr


def test_the_image_takes_every_file_that_the_native_edge_reads() -> None:
    image = (FILES / "Dockerfile").read_text()

    assert [path.name for path in FILES.glob("*.conf*") if path.name not in image] == []
