"""What the Dockerfile promises, read from the file itself."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = {
    "common_lib",
    "user_service",
    "catalog_service",
    "order_service",
    "notification_service",
    "gateway",
    "shop",
}


def instructions() -> list[str]:
    """The instructions, one a line, continuations joined, comments gone."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", "", text)
    return [line for line in joined.splitlines() if line.strip()]


def stages() -> list[list[str]]:
    found: list[list[str]] = []
    for instruction in instructions():
        if instruction.startswith("FROM "):
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


def test_the_image_is_built_in_stages_from_one_pinned_base() -> None:
    assert len(stages()) == 2
    assert all(stage[0].startswith("FROM ${PYTHON_IMAGE} ") for stage in stages())
    (argument,) = [line for line in instructions() if line.startswith("ARG PYTHON_IMAGE=")]
    assert re.fullmatch(r"ARG PYTHON_IMAGE=python:3\.11\.\d+-slim-bookworm", argument)


def test_the_final_stage_runs_as_a_fixed_user_other_than_root() -> None:
    users = [line.split()[1] for line in stages()[-1] if line.startswith("USER ")]
    assert users == ["10001:10001"]
    after_user = stages()[-1][stages()[-1].index("USER 10001:10001") :]
    assert not any(line.startswith(("RUN ", "COPY ", "ADD ")) for line in after_user)


def test_packages_come_from_the_lock_with_their_hashes() -> None:
    (install,) = [line for line in instructions() if "pip" in line and " install" in line]
    assert "--require-hashes" in install
    assert "-r /build/requirements.lock" in install
    assert install in stages()[0]


def test_the_source_is_copied_after_the_packages_are_installed() -> None:
    build = stages()[0]
    copies = [i for i, line in enumerate(build) if line.startswith("COPY ")]
    install = next(
        i for i, line in enumerate(build) if "requirements.lock" in line and "RUN" in line
    )
    assert build[copies[0]] == "COPY requirements.lock /build/"
    assert all(position > install for position in copies[1:])


@pytest.mark.parametrize("unsupported", ["--mount", "<<", "--link", "--chmod"])
def test_the_classic_builder_can_build_it(unsupported: str) -> None:
    assert not any(unsupported in line for line in instructions())


def test_the_final_stage_has_no_build_tools_and_stops_on_sigterm() -> None:
    final = "\n".join(stages()[-1])
    assert "apt-get" not in final
    assert "pip" not in final
    assert "STOPSIGNAL SIGTERM" in final
    assert "HEALTHCHECK" not in final, "each process has its own port: Compose checks it"


def test_every_package_is_copied_and_let_through_to_the_builder() -> None:
    copied = {line.split()[1] for line in stages()[0] if line.startswith("COPY ")}
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    assert copied >= PACKAGES
    assert copied == let_through
    assert all((ROOT / source).exists() for source in copied)


def test_the_pages_are_in_the_image_and_in_the_wheel() -> None:
    copied = {line.split()[1] for line in stages()[0] if line.startswith("COPY ")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert "storefront" in copied
    assert set(wheel["packages"]) == PACKAGES | {"storefront"}


def test_labels_name_the_image() -> None:
    final = "\n".join(stages()[-1])
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in final


def test_compose_builds_this_file() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert compose["services"]["keys"]["build"]["context"] == "."
