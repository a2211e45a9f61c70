"""A client's customers at a period's end: models fitted once for the company, pages cut to their own customers."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kpi_research.customers import bgnbd, clv, gamma_gamma, orders, renewals
from kpi_research.customers.calibration import Calibration, calibrate
from kpi_research.customers.overview import CustomerValue, overview
from kpi_research.periods import Period
from kpi_research.run.settings import Notebook

if TYPE_CHECKING:
    from kpi_research.run.client import Client

SEED = 20260601
"""Fixed, so that the same data give the same intervals."""
WITH_CUSTOMERS: tuple[Notebook, ...] = ("appraisal",)
"""Reports that show customers: for the others nothing is fitted."""
GROUPS, CHECKS, MODELS = "groups.parquet", "checks.parquet", "models.json"


def customers_of(client: Client, period: Period, owners: Collection[str] | None = None) -> CustomerValue | None:
    """What is known of some people's customers at a period's end; None where the client has no contracts and surveys.

    Parameters
    ----------
    owners
        Whose customers; everybody's if None.
    """
    facts = client.data.customers
    if facts.days.empty and facts.answers.empty:
        return None
    fitted, calibration = models_of(client, period)
    return overview(facts, fitted, calibration, rng=np.random.default_rng(SEED), owners=owners)


def models_of(client: Client, period: Period) -> tuple[clv.Fitted, Calibration]:
    """The models on everything before a period's end and how they did on months held back, made once."""
    folder = client.data.derived / "customer_models" / period.name
    if not (folder / MODELS).is_file():
        _make(client, period, folder)
    calibration = Calibration(pd.read_parquet(folder / GROUPS), pd.read_parquet(folder / CHECKS))
    return _fitted(json.loads((folder / MODELS).read_text(encoding="utf-8"))), calibration


def _make(client: Client, period: Period, folder: Path) -> None:
    facts, rng = client.data.customers, np.random.default_rng(SEED)
    upto = min(period.end, client.data.parts.until_end)
    since = client.data.parts.since or upto
    fitted = clv.fit(facts, since=since, upto=upto, rng=rng)
    calibration = calibrate(facts, since=since, upto=upto, rng=rng)
    folder.mkdir(parents=True, exist_ok=True)
    # several reports may make the same at once: each file appears whole, and the one that is looked for comes last
    for name, frame in ((GROUPS, calibration.groups), (CHECKS, calibration.checks)):
        frame.to_parquet(building := folder / f"{name}.{os.getpid()}.part")
        building.replace(folder / name)
    building = folder / f"{MODELS}.{os.getpid()}.part"
    building.write_text(json.dumps(dataclasses.asdict(fitted), default=_plain), encoding="utf-8")
    building.replace(folder / MODELS)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value.tolist()


def _fitted(kept: dict[str, Any]) -> clv.Fitted:
    """What `_make` kept, as it was."""
    of_orders, of_terms = kept["orders"], kept["renewals"]
    buying = of_orders["buying"] | {name: np.array(of_orders["buying"][name], float) for name in ("theta", "errors")}
    spending = of_orders["spending"] | {"theta": np.array(of_orders["spending"]["theta"], float)}
    counts = {name: tuple(of_terms[name]) for name in ("due", "renewed")}
    return clv.Fitted(
        orders.OrdersModel(
            bgnbd.Fit(**buying),
            gamma_gamma.Fit(**spending),
            of_orders["basis"],
            np.array(of_orders["draws"], float).reshape(-1, orders.PARAMETERS),
        ),
        renewals.RenewalModel(**{**of_terms, **counts, "lags": np.array(of_terms["lags"], float)}),
        kept["basis"],
        dt.date.fromisoformat(kept["since"]),
        dt.date.fromisoformat(kept["upto"]),
    )


def team_members(client: Client, period: Period, team: str | None) -> list[str]:
    """Who was in the team on the last day of the period; everybody in role then, for the company."""
    roster = client.data.parts.roster
    last = roster[roster["day"] == pd.Timestamp(min(period.end, client.data.parts.until_end)) - pd.Timedelta(days=1)]
    return sorted(last.loc[last["team_id"] == team if team else slice(None), "person_id"])
