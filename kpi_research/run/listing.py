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
    """The rows of a dictionary: `kpis`, `presets`, `rules`, `schemes` or `sections`."""
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
    from kpi_research.appraisal.lint import lint
    from kpi_research.appraisal.rules import Checked, percent
    from kpi_research.appraisal.scheme import template_names
    from kpi_research.kpis.catalogue import catalogue
    from kpi_research.run.settings import read_scheme

    schemes = [(scheme, Checked(scheme, catalogue())) for name in template_names() if (scheme := read_scheme(name))]
    return [
        {
            "name": scheme.name,
            "template": scheme.template,
            "label_zh": scheme.label.zh,
            "label_en": scheme.label.en,
            "phase": scheme.phase,
            "cycle": scheme.cycle,
            "weights": ", ".join(f"{kpi} {percent(weight)}" for kpi, weight in checked.weights.items()),
            "not_kept": ", ".join(
                sorted({one.rule.id for one in lint(checked) if one.severity in ("error", "warning")})
            ),
            "source": scheme.source,
        }
        for scheme, checked in schemes
    ]


def _rules() -> Rows:
    from kpi_research.appraisal.lint import rules

    return [
        {
            "id": rule.id,
            "severity": rule.severity,
            "what_zh": rule.what("zh"),
            "what_en": rule.what("en"),
            "source_zh": rule.source("zh"),
            "source_en": rule.source("en"),
        }
        for rule in rules().values()
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
    "rules": _rules,
    "schemes": _schemes,
    "sections": _sections,
}
