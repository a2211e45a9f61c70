"""Starting maps of the systems that clients use: `presets/<system>.yaml`, and how one is fitted to an export's headers.

A map is written in field names of the system. A canonical column that several parts of it fill is filled by the first
whose fields an export has, in the order `cases`, `join`, `columns` from top to bottom, `constants`; `values` are for
what is copied or joined.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML

from kpi_research.errors import InputError, Problem
from kpi_research.language import Bilingual
from kpi_research.sources.fitting import Fitting, as_list
from kpi_research.sources.mapping import TableMapping
from kpi_research.sources.preset_problems import preset_problems

FOLDER = Path(__file__).with_name("presets")
SPELLINGS_KEPT = 100_000
"""A database has thousands of tables, and all are held against the same names."""
GRADES = ("D", "S", "I", "N")
"""Documented, seen in code that works with the system, inferred, not found: the surest first."""
Grade = Literal["D", "S", "I", "N"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Confidence(_Strict):
    """How well a system's parts are known."""

    objects: Grade
    fields: Grade
    labels: Grade
    formats: Grade
    stage_history: Grade

    @property
    def overall(self) -> Grade:
        """The weakest of what every export needs; not every system has a history of stages."""
        return max(self.objects, self.fields, self.labels, self.formats, key=GRADES.index)


class Ask(_Strict):
    """What to ask a client for."""

    zh: list[str]
    en: list[str]


class PresetTable(_Strict):
    """One object of a system as one canonical table.

    Parameters
    ----------
    table
        Canonical table.
    names
        What files, sheets and tables with this object are called.
    confidence
        Grade of the fields that give none.
    fields
        Field -> its other spellings with their grades; its own spelling among them gives that one's grade.
    needs
        Fields without which an export is not this object.
    map
        A mapping in field names.
    """

    table: str
    names: list[str] = Field(min_length=1)
    confidence: Grade
    fields: dict[str, dict[str, Grade]]
    needs: list[str]
    map: TableMapping


class Preset(_Strict):
    """The starting map of a system.

    Parameters
    ----------
    role
        What a client uses it for: of each role there is one system.
    checked
        Month in which the grades were given.
    """

    system: str
    label: Bilingual
    role: Literal["crm", "erp", "hr", "activity", "form"]
    checked: str = Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    confidence: Confidence
    ask: Ask
    tables: list[PresetTable] = Field(min_length=1)


@dataclass(frozen=True)
class Resolved:
    """An object's map in the headers of one export.

    Parameters
    ----------
    mapping
        Without the parts whose fields the export lacks.
    grades
        Canonical column that is copied -> its header and how sure that is.
    missing
        Fields of canonical columns that nothing in the export fills.
    dropped
        Parts of the map that the export lacks a field for: `cases outcome: IsWon`.
    unmatched
        Headers that the preset does not know.
    lacks_needs
        Whether a field is absent without which this is another object.
    """

    mapping: TableMapping
    grades: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    lacks_needs: bool = False


@functools.lru_cache(maxsize=SPELLINGS_KEPT)
def normalise(header: str) -> str:
    """A spelling as it is compared: letters, digits and Chinese characters of any width, without case."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", header).casefold() if sign.isalnum())


@functools.cache
def load_presets() -> dict[str, Preset]:
    """Every preset of the package by its system's name.

    Raises
    ------
    InputError
        All that is wrong with any of them.
    """
    problems: list[Problem] = []
    presets: dict[str, Preset] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        try:
            presets[path.stem] = read_preset(path)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return presets


def find_preset(name: str) -> Preset:
    """The preset of a system.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    try:
        return load_presets()[name]
    except KeyError:
        raise InputError(Problem("preset.unknown", "", {"name": name}, name, tuple(load_presets()))) from None


def read_preset(path: Path) -> Preset:
    """A preset file, checked.

    Raises
    ------
    InputError
        All columns, fields and keys in it that do not exist.
    """
    given = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    try:
        preset = Preset.model_validate(given)
    except ValidationError as error:
        wrong = [(".".join(map(str, found["loc"])), found["msg"]) for found in error.errors()]
        raise InputError(
            Problem("preset.malformed", path.name, {"key": key, "reason": reason}) for key, reason in wrong
        ) from None
    problems = [problem for part in preset.tables for problem in preset_problems(path.name, part, normalise)]
    if preset.system != path.stem:
        problems.append(Problem("preset.other_system", path.name, {"system": preset.system}))
    if problems:
        raise InputError(problems)
    return preset


def resolve(part: PresetTable, headers: Sequence[str]) -> Resolved:
    """An object's map in the headers of an export; a header is a field's if any spelling of it is the same.

    Parameters
    ----------
    headers
        As they stand in the export.
    """
    found = dict(_matched(part, headers))
    fitting = Fitting(part.map, {name: header for name, (header, _) in found.items()})
    mapping = fitting.mapping()
    of_header = dict(found.values())
    grades = {
        column: (header, of_header[header])
        for header, columns in mapping.columns.items()
        if header in of_header
        for column in as_list(columns)
    }
    filled = fitting.filled
    missing = tuple(
        name for name, targets in part.map.columns.items() if name not in found and set(as_list(targets)) - filled
    )
    known = {normalise(spelling) for name, others in part.fields.items() for spelling in (name, *others)}
    return Resolved(
        mapping,
        grades,
        missing,
        tuple(fitting.dropped),
        tuple(header for header in headers if normalise(header) not in known),
        any(need not in found for need in part.needs),
    )


def has_needs(part: PresetTable, spelled: Set[str]) -> bool:
    """Whether an export has every field without which it is another object.

    Parameters
    ----------
    spelled
        Its headers, normalised.
    """
    return all(
        any(normalise(spelling) in spelled for spelling in (need, *part.fields.get(need, ()))) for need in part.needs
    )


def goes_with(part: PresetTable, best: PresetTable) -> bool:
    """Whether a part is taken beside the one that fits an export best.

    It is out of the same object: teams out of its users, or the same table by conditions that tell the rows apart.
    """
    if part is best or normalise(part.names[0]) != normalise(best.names[0]):
        return part is best
    conditions = [(each.map.where, each.map.unless) for each in (part, best)]
    return part.table != best.table or (conditions[0] != conditions[1] and all(where for where, _ in conditions))


def preset_rows() -> list[dict[str, Any]]:
    """One row a system for `list presets`: its objects with their grades, and the weakest grade of all."""
    return [
        {
            "system": preset.system,
            "label_zh": preset.label.zh,
            "label_en": preset.label.en,
            "role": preset.role,
            "tables": ", ".join(f"{table} {grade}" for table, grade in table_grades(preset).items()),
            "confidence": preset.confidence.overall,
        }
        for preset in load_presets().values()
    ]


def table_grades(preset: Preset) -> dict[str, str]:
    """Canonical table -> grade of the best known object that gives it."""
    grades: dict[str, str] = {}
    for part in preset.tables:
        grades[part.table] = min(part.confidence, grades.get(part.table, "N"), key=GRADES.index)
    return grades


def _matched(part: PresetTable, headers: Sequence[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Field -> the header that it goes by, and the grade of that spelling; of several the one named first."""
    by_spelling: dict[str, str] = {}
    for header in headers:
        by_spelling.setdefault(normalise(header), header)
    for name, others in part.fields.items():
        for spelling, grade in {name: part.confidence, **others}.items():
            if (plain := normalise(spelling)) in by_spelling:
                yield name, (by_spelling[plain], grade)
                break
