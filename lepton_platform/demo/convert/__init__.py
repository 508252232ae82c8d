"""Converts the published data sets to the small Parquet files of the demo tenants; same sources, same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from lepton_platform.demo.convert import ads, bank, clothing, drugs, education
from lepton_platform.demo.convert.tables import SCHEMAS, DemoTables, write_tables

# Name of the tables' folder -> (folder of the source, converter).
CONVERTERS: dict[str, tuple[str, Callable[[Path], DemoTables]]] = {
    "education": (education.FOLDER, education.convert_education),
    "ads": (ads.FOLDER, ads.convert_ads),
    "clothing": (clothing.FOLDER, clothing.convert_clothing),
    "bank": (bank.FOLDER, bank.convert_bank),
    "drugs": (drugs.FOLDER, drugs.convert_drugs),
}


def convert_datasets(source: Path, out: Path) -> Iterator[str]:
    """Converts all data sets, lazily; yields one line with the row counts of each.

    Args:
        source: folder with one folder for each data set.
        out: receives one folder for each demo tenant.
    """
    for name, (folder, convert) in CONVERTERS.items():
        tables = convert(source / folder)
        write_tables(tables, out / name)
        counts = ", ".join(f"{getattr(tables, table).height} {table}" for table in SCHEMAS)
        yield f"{name}: {counts}"
