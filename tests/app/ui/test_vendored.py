"""Vendored files of the pages: unchanged, each with its licence, asking no other host."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

import pytest

VENDOR = files("app.ui") / "static" / "vendor"
ROW = re.compile(r"^\| (\S+) \| (\S+) \| (\d+\.\d+\.\d+) \| \S+ \| ([0-9a-f]{64}) \|$", re.M)

pytestmark = pytest.mark.without_store


def test_each_vendored_file_is_the_one_of_its_version_and_has_a_licence() -> None:
    listed = {row[1]: row for row in ROW.finditer((VENDOR / "README.md").read_text())}
    there = {file.name for file in VENDOR.iterdir()} - {"README.md"}
    assert set(listed) == there
    packages = {row[2] for name, row in listed.items() if name.endswith(".LICENSE")}
    for name, row in listed.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == row[4], name
        assert row[2] in packages, name


def test_the_vendored_styles_fetch_nothing() -> None:
    styles = (VENDOR / "pico.min.css").read_text()
    assert set(re.findall(r"url\(\W?(\w+:)", styles)) == {"data:"}
    assert "@import" not in styles
