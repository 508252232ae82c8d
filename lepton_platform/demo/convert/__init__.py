"""Source folders in, the small Parquet files of the demo tenants out. Same sources, same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from lepton_platform.demo.convert import ads, bank, clothing, drugs, education
from lepton_platform.demo.convert.tables import SCHEMAS, DemoTables, write_tables

CONVERTERS: dict[str, tuple[str, Callable[[Path], DemoTables]]] = {
    "education": (education.FOLDER, education.convert_education),
    "ads": (ads.FOLDER, ads.convert_ads),
    "clothing": (clothing.FOLDER, clothing.convert_clothing),
    "bank": (bank.FOLDER, bank.convert_bank),
    "drugs": (drugs.FOLDER, drugs.convert_drugs),
}


def convert_datasets(source: Path, out: Path) -> Iterator[str]:
    """One line for each tenant's tables written to `out`."""
    for name, (folder, convert) in CONVERTERS.items():
        tables = convert(source / folder)
        write_tables(tables, out / name)
        counts = ", ".join(f"{getattr(tables, table).height} {table}" for table in SCHEMAS)
        yield f"{name}: {counts}"
