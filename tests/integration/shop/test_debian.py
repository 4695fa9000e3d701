"""Asking apt of this machine, with whatever it knows."""

from pathlib import Path

import pytest

from shop.stack import debian


def test_the_sources_are_known_where_apt_never_updated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updated = debian.release()
    never_updated = tmp_path / "apt.conf"
    never_updated.write_text(f'Dir::State::Lists "{tmp_path}/lists";\n')
    monkeypatch.setenv("APT_CONFIG", str(never_updated))

    assert debian.release() == updated
