"""Seed files with one thing wrong in them."""

import shutil
from pathlib import Path


def spoiled(files: Path, copy: Path, file: str, old: str, new: str) -> Path:
    """Return a copy of the folder in which a file has `new` where it first has `old`."""
    folder = shutil.copytree(files, copy)
    content = (folder / file).read_text(encoding="utf-8")
    assert old in content
    (folder / file).write_text(content.replace(old, new, 1), encoding="utf-8")
    return folder
