"""All KPIs, found in the files of this folder; and what each is made of."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

import ibis.expr.operations as ops

from kpi_research.errors import InputError, Problem
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Kpi
from kpi_research.kpis.result_recent_deals import RECENT_MONTHS

SIGNING = frozenset({"contracts.signed_at", "contracts.amount", "opportunities.outcome", "opportunities.closed_at"})
"""Fields that record one and the same event: a deal is won and its contract is signed."""

FROM_RECENT_DEALS = {"signed_amount": ("signed_amount_from_recent_deals", RECENT_MONTHS)}
"""Of a result, the KPI that is the same from deals begun in its own month or the ones before, and how many months."""


@functools.cache
def catalogue() -> dict[str, Kpi]:
    """Every KPI by name.

    Raises
    ------
    ValueError
        If two KPIs share a name or an id.
    """
    files = sorted(path.stem for path in Path(__file__).parent.glob("*.py"))
    modules = [import_module(f"{__package__}.{name}") for name in files if name not in ("__init__", "catalogue")]
    kpis = [kpi for module in modules for kpi in getattr(module, "KPIS", ())]
    for key in ("name", "id"):
        given = [getattr(kpi, key) for kpi in kpis if getattr(kpi, key)]
        if twice := {name for name in given if given.count(name) > 1}:
            raise ValueError(f"two KPIs share the {key} {sorted(twice)}")
    return {kpi.name: kpi for kpi in kpis}


def find_kpis(names: Iterable[str], where: str = "", *, among: Mapping[str, Kpi] | None = None) -> list[Kpi]:
    """The KPIs of these names, in this order.

    Parameters
    ----------
    among
        A client's KPIs, its own included; by default the catalogue's.

    Raises
    ------
    InputError
        For every name that is not in the catalogue, with the nearest one that is.
    """
    known = catalogue() if among is None else among
    names = list(names)
    problems = [Problem("kpi.unknown", where, {"kpi": name}, name, tuple(known)) for name in names if name not in known]
    if problems:
        raise InputError(problems)
    return [known[name] for name in names]


@functools.cache
def lineage(name: str) -> frozenset[str]:
    """The atomic fields (`table.column`) that a KPI's rows, numerator, denominator and time are computed from.

    Read from the expressions themselves. Where whole rows pass a window or a join, all their fields are named: an
    overlap may be found where there is none, but none is overlooked.
    """
    return lineage_of(catalogue()[name])


def lineage_of(kpi: Kpi) -> frozenset[str]:
    """The same for a definition."""
    rows = kpi.rows(Crm.unbound())
    parts = [kpi.numerator(rows), rows[kpi.when]] + ([kpi.denominator(rows)] if kpi.denominator else [])
    used = rows.select(*(part.name(f"part{number}") for number, part in enumerate(parts)))
    return frozenset(_atoms(used.op(), set()))


def _atoms(node: ops.Node, seen: set[ops.Field]) -> Iterator[str]:
    """Follow every field through filters, joins and windows down to the table it was read from."""
    for field in node.find(ops.Field):
        if field in seen:
            continue
        seen.add(field)
        if isinstance(field.rel, ops.UnboundTable):
            yield f"{field.rel.name}.{field.name}"
        elif isinstance(made_from := field.rel.values.get(field.name), ops.Node):
            yield from _atoms(made_from, seen)


def sharing_records(outcome: str, names: Iterable[str], *, among: Mapping[str, Kpi] | None = None) -> list[str]:
    """Those of the KPIs that are built from the same records as the outcome, so that they must move together.

    Parameters
    ----------
    among
        A client's KPIs, its own included; by default the catalogue's.
    """
    own = {name: lineage_of(kpi) for name, kpi in (among or {}).items() if kpi.is_custom}
    made_of = own.get(outcome) or lineage(outcome)
    of = {name: own.get(name) or lineage(name) for name in names}
    signing = bool(made_of & SIGNING)
    return [
        name for name, fields in of.items() if name != outcome and (fields & made_of or (signing and fields & SIGNING))
    ]
