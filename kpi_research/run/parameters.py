"""A notebook's parameters, checked before it runs: papermill itself only logs a name that a notebook does not know."""

from __future__ import annotations

import ast
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpi_research.errors import Problem

PARAMETERS_TAG = "parameters"
SCALARS = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Declared:
    """What a notebook's parameters cell declares.

    Parameters
    ----------
    defaults
        Default by name; `...` where it is an expression, so that its type is not known.
    problems
        What is wrong with the cell itself.
    """

    defaults: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()


def check_parameters(notebook: Path, parameters: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with giving these parameters to this notebook; empty when all is well.

    Unknown names, values of another type than the default's, values that do not survive the way into a cell (dates,
    sets, tuples, numpy numbers), and a parameters cell that papermill cannot read: two assignments on one line.
    """
    declared = declared_parameters(notebook, notebook.stat().st_mtime_ns)
    found = list(declared.problems)
    for name, value in parameters.items():
        found.extend(_check(notebook, declared, name, value))
    return found


@functools.lru_cache(maxsize=64)
def declared_parameters(notebook: Path, changed_at: int) -> Declared:  # noqa: ARG001
    """The parameters cell of the notebook as it was at `changed_at` (nanoseconds; part of the cache's key)."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if PARAMETERS_TAG in cell["metadata"].get("tags", ()):
            return _read_cell(notebook, "".join(cell["source"]))
    return Declared({})


def _read_cell(notebook: Path, source: str) -> Declared:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        return Declared({}, (Problem("run.parameters_unreadable", where=_place(notebook, error.lineno)),))
    assigned = [one for one in statements if isinstance(one, ast.Assign | ast.AnnAssign)]
    defaults = {
        target.id: _default(one) for one in assigned for target in _targets(one) if isinstance(target, ast.Name)
    }
    lines = [one.lineno for one in assigned]
    crowded = sorted({line for line in lines if lines.count(line) > 1} | {one.lineno for one in assigned if _many(one)})
    problems = (Problem("run.one_assignment_a_line", where=_place(notebook, line)) for line in crowded)
    return Declared(defaults, tuple(problems))


def _targets(assigned: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return assigned.targets if isinstance(assigned, ast.Assign) else [assigned.target]


def _many(assigned: ast.Assign | ast.AnnAssign) -> bool:
    return len(_targets(assigned)) > 1 or not isinstance(_targets(assigned)[0], ast.Name)


def _default(assigned: ast.Assign | ast.AnnAssign) -> Any:
    try:
        return ast.literal_eval(assigned.value) if assigned.value is not None else ...
    except ValueError:
        return ...


def _check(notebook: Path, declared: Declared, name: str, value: Any) -> list[Problem]:
    where = f"{notebook.name}: {name}"
    if name not in declared.defaults:
        allowed = sorted(declared.defaults)
        return [Problem("run.unknown_parameter", where, {"name": name}, given=name, allowed=allowed)]
    if (stranger := _not_carried(value)) is not None:
        return [Problem("run.parameter_not_carried", where, {"given": repr(stranger), "type": type(stranger).__name__})]
    default = declared.defaults[name]
    if not _same_kind(default, value):
        return [Problem("run.parameter_type", where, {"given": repr(value), "expected": type(default).__name__})]
    return []


def _not_carried(value: Any) -> Any:
    """The first part of the value that papermill would turn into something else; None if there is none."""
    if type(value) is list:
        return next((bad for part in value if (bad := _not_carried(part)) is not None), None)
    if type(value) is dict:
        bad_keys = (key for key in value if type(key) is not str)
        return next(bad_keys, _not_carried(list(value.values())))
    return None if type(value) in SCALARS else value


def _same_kind(default: Any, value: Any) -> bool:
    if default is None or default is ... or value is None:
        return True
    return type(value) is type(default) or (type(default) is float and type(value) is int)


def _place(notebook: Path, line: int | None) -> str:
    return f"{notebook.name}: {PARAMETERS_TAG}, line {line}"
