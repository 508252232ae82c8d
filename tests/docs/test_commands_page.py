"""docs/commands.md shows the options that `--help` shows."""

from __future__ import annotations

from tests.docs.command_lines import COMMAND_PACKAGES, PAGE, build_tables, update_page


def test_the_tables_are_those_of_the_parsers() -> None:
    text = PAGE.read_text(encoding="utf-8")
    tables = build_tables()
    assert all(f"<!-- {name} -->" in text for name in tables)
    assert text == update_page(text, tables), "Run `python -m tests.docs.command_lines`."


def test_a_changed_table_is_noticed() -> None:
    text = PAGE.read_text(encoding="utf-8")
    tables = {name: table + "\n| `extra` | | |" for name, table in build_tables().items()}
    assert text != update_page(text, tables)


def test_there_are_module_commands() -> None:
    assert "recommender.benchmarks" in COMMAND_PACKAGES
