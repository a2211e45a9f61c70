"""`docs/systems.md`: which canonical tables each known system gives, and how well each is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kpi_research.crm.tables import TABLES
from kpi_research.sources.preset import Preset, load_presets, table_grades

HEAD = """\
<!-- Written by docs/check.py --write from the presets in kpi_research/sources/presets/. -->

# Systems · 系统

A preset is a starting map of what a system exports. `D`: documented by the vendor; `S`: seen in others' code or data;
`I`: inferred, to be confirmed with your own export; `N`: not found; `–`: the system does not give the table, or nothing
is known of it. `kpi-research init` shows the grade of every column it maps, and every header it does not know.

预设是一个系统导出内容的起始映射。`D`:厂商文档;`S`:见于他人代码或数据;`I`:推断,须用您自己的导出核对;`N`:未找到;\
`–`:系统不提供该表,或无资料。`kpi-research init` 会列出每个已映射列的等级和每个不认识的表头。"""
SIDES = ("objects", "fields", "labels", "formats", "stage_history")


def systems() -> str:
    """The page: systems by canonical tables, then what is known of each system and what to ask its user for."""
    presets = list(load_presets().values())
    return "\n\n".join([HEAD, _tables(presets), _sides(presets), *map(_questions, presets)]) + "\n"


def _tables(presets: Sequence[Preset]) -> str:
    """Canonical tables in rows, since there are more of them than fit across a page."""
    grades = {preset.system: table_grades(preset) for preset in presets}
    given = [name for name in TABLES if any(name in found for found in grades.values())]
    rows = [[f"`{name}`", *(found.get(name, "–") for found in grades.values())] for name in given]
    return _table(["table · 表", *(f"`{name}`" for name in grades)], rows)


def _sides(presets: Sequence[Preset]) -> str:
    rows = [
        [
            f"`{preset.system}`",
            f"{preset.label.zh} · {preset.label.en}" if preset.label.zh != preset.label.en else preset.label.en,
            preset.role,
            *(getattr(preset.confidence, side) for side in SIDES),
            preset.checked,
        ]
        for preset in presets
    ]
    return _table(["system · 系统", "name", "role", *(side.replace("_", " ") for side in SIDES), "checked"], rows)


def _questions(preset: Preset) -> str:
    """What its user should be asked for, since no preset knows it."""
    pairs = zip(preset.ask.zh, preset.ask.en, strict=True)
    return "\n".join([f"## {preset.label.en}\n", *(f"- {zh}<br>{en}" for zh, en in pairs)])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
