"""`list`: the dictionaries of what there is."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.table import Table

from kpi_research.language import Language, say

Rows = list[dict[str, Any]]


def listing(what: str) -> Rows:
    """The rows of a dictionary: `kpis`, `presets`, `schemes` or `sections`."""
    return _LISTINGS[what]()


def print_listing(what: str, rows: Rows, language: Language) -> None:
    """The same for the terminal."""
    table = Table(title=say(f"list.{what}", language), show_lines=False)
    wanted = [key for key in rows[0] if not key.endswith(("_zh", "_en")) or key.endswith(f"_{language}")]
    for key in wanted:
        table.add_column(say(f"list.column.{key.removesuffix(f'_{language}')}", language), overflow="fold")
    for row in rows:
        table.add_row(*(str(row[key]) for key in wanted))
    Console().print(table)


def _kpis() -> Rows:
    from kpi_research.kpis.catalogue import catalogue

    return [
        {
            "id": kpi.id,
            "name": kpi.name,
            "label_zh": kpi.label.zh,
            "label_en": kpi.label.en,
            "kind": kpi.kind,
            "unit": kpi.unit,
            "direction": kpi.direction,
            "needs": ", ".join(kpi.needs),
            "meaning_zh": kpi.meaning.zh,
            "meaning_en": kpi.meaning.en,
        }
        for kpi in sorted(catalogue().values(), key=lambda kpi: kpi.id)
    ]


def _schemes() -> Rows:
    from kpi_research.appraisal.scheme import template_names
    from kpi_research.run.settings import read_scheme

    schemes = [read_scheme(name) for name in template_names()]
    return [
        {
            "name": scheme.name,
            "label_zh": scheme.label.zh,
            "label_en": scheme.label.en,
            "weights": ", ".join(f"{item.kpi} {item.weight:g}" for item in scheme.items),
            "source": scheme.source,
        }
        for scheme in schemes
        if scheme
    ]


def _sections() -> Rows:
    from kpi_research.report.page import sections

    return [
        {"name": name, "shows": (import_module(section.build.__module__).__doc__ or "").splitlines()[0]}
        for name, section in sections().items()
    ]


def _presets() -> Rows:
    from kpi_research.sources.preset import preset_rows

    return preset_rows()


_LISTINGS: dict[str, Callable[[], Rows]] = {
    "kpis": _kpis,
    "presets": _presets,
    "schemes": _schemes,
    "sections": _sections,
}
