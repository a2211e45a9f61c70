"""The result of a bench at one client's size, as it is shown and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from kpi_research.evidence.bench import COLUMNS, FALSE_DISCOVERY
from kpi_research.evidence.plan import Plan
from kpi_research.evidence.verdict import CODES
from kpi_research.evidence.worlds import World


@dataclass(frozen=True)
class Benched:
    """A client's bench.

    Parameters
    ----------
    world, plan
        What was simulated, and how it was studied: as the client's own data are.
    wanted
        Simulations that were asked for; fewer were done if somebody stopped it.
    rates
        As `bench.tabulated`.
    """

    client: str
    world: World
    plan: Plan
    wanted: int
    done: int
    rates: pd.DataFrame

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        rates = self.rates.astype(object).where(self.rates.notna(), None).to_dict("records")
        return {**asdict(self), "rates": rates}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Benched:
        """What `as_dict` gave."""
        rates = pd.DataFrame(given["rates"], columns=COLUMNS)
        world = World(**{**given["world"], "teams": tuple(given["world"]["teams"])})
        plan = Plan(**given["plan"])
        return cls(given["client"], world, plan, given["wanted"], given["done"], rates)

    @property
    def letters(self) -> pd.DataFrame:
        """Share of each letter (columns, those that were given at all) among the KPIs of each truth (rows)."""
        rows = self.rates[self.rates["truth"] != FALSE_DISCOVERY]
        shares = rows.pivot_table(index="truth", columns="code", values="share", sort=False)
        return shares[[code for code in CODES if shares[code].any()]]

    @property
    def false_share(self) -> tuple[float, float]:
        """Mean share of KPIs without effect among those called predictive, and its Monte Carlo standard error."""
        row = self.rates[self.rates["truth"] == FALSE_DISCOVERY].iloc[0]
        return float(row["share"]), float(row["mc_error"])

    @property
    def largest_error(self) -> float:
        """Monte Carlo standard error of the least certain letter."""
        return float(self.rates.loc[self.rates["truth"] != FALSE_DISCOVERY, "mc_error"].max())
