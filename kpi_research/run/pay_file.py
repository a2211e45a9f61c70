"""Pay on a page: the client's incentive plan, and the file of what each person's bonus is reckoned from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pandas as pd

from kpi_research.appraisal.bill import PayView
from kpi_research.errors import InputError, Problem
from kpi_research.periods import Period
from kpi_research.run.incentives import pay_of, problems_of
from kpi_research.run.scheme_choice import scheme_of

if TYPE_CHECKING:
    from pathlib import Path

    from kpi_research.run.client import Client


def pay_on_file(client: Client, period: Period, team: str | None) -> PayView | None:
    """What the people of a team earn; None where the client file has no plan or no bases, or nothing is scored.

    Raises
    ------
    InputError
        Everything that is wrong with the plan or the file of bases.
    """
    plan, bases = client.settings.incentives, bases_of(client)
    if plan is None or bases is None or client.data.targets.empty or scheme_of(client, period, team=team) is None:
        return None
    return pay_of(client, plan, period, bases, team=team)


def bases_of(client: Client) -> pd.DataFrame | None:
    """What each person's bonus is reckoned from (see `incentives.pay_of`); None where the client file names no file.

    Raises
    ------
    InputError
        Everything that is wrong with the file.
    """
    path = _path(client)
    if path is None:
        return None
    bases = _read(path)
    if problems := [*problems_of(bases)]:
        raise InputError(problems)
    return bases


def pay_digest(client: Client) -> str:
    """SHA-256 of the file of bases, by which a report sees that it is no longer current; empty without one."""
    path = _path(client)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path and path.is_file() else ""


def _path(client: Client) -> Path | None:
    name = client.settings.bonus_bases
    return client.path.resolve().parent / name if name else None


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        beside = tuple(sorted(each.name for each in path.parent.glob("*.csv"))) if path.parent.is_dir() else ()
        raise InputError(Problem("source.missing", values={"path": path.name}, given=path.name, allowed=beside))
    try:
        return pd.read_csv(path, dtype=str, encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(Problem("source.encoding", path.name, {"tried": "utf-8"})) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        raise InputError(Problem("pay.staff_column", values={"column": "person_id"}, given="person_id")) from None
