"""The edge's certificate, its settings and what is said where it cannot be had."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from common_lib import clock
from shop.stack import certificate, debian, edge, memory
from shop.stack.docker import DockerStack
from shop.stack.edge import Edge
from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.memory import Kind
from shop.stack.ports import Ports
from shop.stack.progress import Progress


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(home=tmp_path / "home", downloads=tmp_path / "downloads", ports=Ports())


def test_the_certificate_is_made_once(tmp_path: Path) -> None:
    first = certificate.make_if_needed(tmp_path).read_bytes()

    assert certificate.make_if_needed(tmp_path).read_bytes() == first


def test_a_certificate_is_made_anew_a_month_before_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = certificate.make_if_needed(tmp_path).read_bytes()
    later = clock.now() + certificate.LIFETIME - timedelta(days=29)
    monkeypatch.setattr(clock, "now", lambda: later)

    assert certificate.make_if_needed(tmp_path).read_bytes() != first


@pytest.mark.parametrize("lost", [certificate.KEY, certificate.CERTIFICATE])
def test_a_certificate_without_its_key_is_made_anew(tmp_path: Path, lost: str) -> None:
    first = certificate.make_if_needed(tmp_path).read_bytes()
    (tmp_path / lost).unlink()

    assert certificate.make_if_needed(tmp_path).read_bytes() != first


def test_the_certificate_is_a_servers_and_signs_no_other(tmp_path: Path) -> None:
    made = x509.load_pem_x509_certificate(certificate.make_if_needed(tmp_path).read_bytes())

    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not made.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_a_template_keeps_the_variables_of_nginx() -> None:
    filled = edge.filled_in("a ${EDGE_RUN} $host ${status};", {"EDGE_RUN": "/run"})

    assert filled == "a /run $host ${status};"


def test_a_place_without_a_value_is_not_left_open() -> None:
    with pytest.raises(KeyError):
        edge.filled_in("${EDGE_NOTHING}", {})


@pytest.mark.parametrize("text", ["", "10; load_module x", "1\n2", "${x}"])
def test_a_limit_that_nginx_would_read_as_more_is_refused(layout: Layout, text: str) -> None:
    with pytest.raises(StackError, match="SHOP_EDGE_SEND_TIMEOUT_S"):
        Edge(layout, {"SHOP_EDGE_SEND_TIMEOUT_S": text}).values()


def test_every_gateway_is_behind_the_edge(layout: Layout) -> None:
    two = replace(layout, twins={"gateway-2": 8180})

    servers = "server 127.0.0.1:8080 max_fails=0; server 127.0.0.1:8180 max_fails=0;"
    assert Edge(two).values()["EDGE_GATEWAYS"] == servers


def test_where_nginx_cannot_be_had_it_is_said_with_a_way_out(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_apt() -> debian.Release:
        raise StackError("this is not Debian or Ubuntu with apt", "use STACK=docker")

    monkeypatch.setattr(debian, "release", no_apt)

    with pytest.raises(StackError) as refusal:
        edge.prepare(layout, Progress.silent())

    assert refusal.value.cause.startswith("the edge needs nginx with ModSecurity")
    assert refusal.value.fix == "use STACK=docker, or make up without EDGE=1"


def test_a_folder_too_deep_for_a_socket_is_told_so(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    layout = Layout(home=deep, downloads=tmp_path, ports=Ports())
    for program in (edge.NGINX, *edge.MODULES, edge.RULES):
        path = tmp_path / edge.NAME / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    with pytest.raises(StackError, match="too long for the path of a socket"):
        Edge(layout).spec()


def test_the_edges_ports_are_wanted_with_the_edge_alone(layout: Layout) -> None:
    with_edge = replace(layout, with_edge=True).wanted_ports()

    assert {"edge": 8443, "edge_http": 8480}.items() <= with_edge.items()
    assert with_edge.keys() - layout.wanted_ports().keys() == {"edge", "edge_http"}


def test_later_commands_know_that_the_edge_is_up(tmp_path: Path) -> None:
    assert not memory.recall_edge(tmp_path)
    memory.remember(tmp_path, Kind.NATIVE, Ports(), with_edge=True)
    assert memory.recall_edge(tmp_path)
    memory.remember(tmp_path, Kind.NATIVE, Ports())
    assert not memory.recall_edge(tmp_path)


def test_compose_is_told_of_the_edge_beside_other_profiles(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPOSE_PROFILES", "search")

    def profiles(layout: Layout) -> str:
        return DockerStack(layout, Progress.silent()).environment["COMPOSE_PROFILES"]

    assert profiles(layout) == "search"
    assert profiles(replace(layout, with_edge=True)) == "search,edge"
