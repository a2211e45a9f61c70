"""The second contact: after the first visit to a customer, how soon does anybody get in touch again."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpi_research.funnel.records import Records
from kpi_research.funnel.steps import DAY, well_observed
from kpi_research.funnel.survival import NEXT, curves, survival_errors
from kpi_research.kpis.process import SECOND_CONTACT_DAYS
from kpi_research.policy import MIN_DENOMINATOR
from kpi_research.proportion import share_interval

CONTACT_CURVE_COLUMNS = ["days", "at_risk", "contacted", "ci_low", "ci_high", "is_rule", "n", "status"]
DAYS_SHOWN = 30


def second_contact_curve(
    records: Records, *, start: pd.Timestamp, end: pd.Timestamp, longest: int = DAYS_SHOWN
) -> pd.DataFrame:
    """Share of the accounts first visited in a period that had a second contact within 0, 1 ... days.

    Returns
    -------
    In `CONTACT_CURVE_COLUMNS`, a row a day. Visits too young for a day are reckoned with by Kaplan-Meier, not counted
    as failed. `is_rule` marks the day of the house rule (`kpis.process.SECOND_CONTACT_DAYS`); `status` is `ok`,
    `too_few` (fewer than `policy.MIN_DENOMINATOR` first visits), or `immature` on days that nobody's visit is old
    enough for.
    """
    visits = records.contacts
    visits = visits[(visits["visited_at"] >= start) & (visits["visited_at"] < end)]
    observable = np.floor((records.end - visits["visited_at"]) / DAY)
    days = np.ceil((visits["next_at"] - visits["visited_at"]) / DAY)
    seen = days.notna() & (days <= observable)
    rows = pd.DataFrame({"days": np.arange(longest + 1), "n": len(visits)})
    rows["is_rule"] = rows["days"] == SECOND_CONTACT_DAYS
    if len(visits) < MIN_DENOMINATOR:
        return rows.assign(status="too_few").reindex(columns=CONTACT_CURVE_COLUMNS)
    ended = np.where(seen, NEXT, 0)
    found = well_observed(curves(days.where(seen, observable).to_numpy(dtype=int), ended, kinds=1))
    low, high = share_interval(1 - found.survival, survival_errors(found))
    values = {"at_risk": found.at_risk, "contacted": 1 - found.survival, "ci_low": low, "ci_high": high}
    for name, value in values.items():
        rows[name] = pd.Series(value).reindex(rows["days"]).to_numpy()
    rows["status"] = np.where(rows["contacted"].notna(), "ok", "immature")
    return rows[CONTACT_CURVE_COLUMNS]
