"""Steps: how long each case stood in each stage and how that ended, in whole days, as far as it could be observed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from kpi_research.funnel.records import Records
from kpi_research.funnel.survival import LOST, NEXT, WAITING, Curves, curves, first_day_at

DAY = pd.Timedelta(days=1)
WINDOW_SHARE = 0.9
"""A step's window is the time in which so many of those that take the step have taken it."""
LEAST_OBSERVED = 5
"""Beyond the day on which fewer than these are still observed, a curve is not read."""
STEP_COLUMNS = [
    "part",
    "case_id",
    "place",
    "stage",
    "kind",
    "entered_at",
    "days",
    "ended",
    "to",
    "observable",
    "skipped",
    "reopened",
]
Windows = Mapping[str, int]


def steps(records: Records) -> pd.DataFrame:
    """One row a case and stage, the last stage apart, in `STEP_COLUMNS`.

    Returns
    -------
    `days` in the stage, begun days counting as whole ones, until the next stage (`ended` 1), the loss (2), or the last
    whole day observed (0). `observable`: the whole days since it was entered; what came later is not looked at, so that
    ends and waiting are seen for equally long. `to`: how it ended, the last begun day included. Won deals without a
    contract are left out of the step to collection.
    """
    rows = records.passages
    last = {part: len(records.model.of(part)) - 1 for part in records.parts}
    rows = rows[rows["place"] < rows["part"].map(last).astype(float)]
    if records.model.has_collection:
        linked = records.cases.loc[records.cases["linked"], "case_id"]
        rows = rows[(rows["kind"] != "won") | rows["case_id"].isin(linked)]
    observable = np.floor((records.end - rows["entered_at"]) / DAY).astype(int)
    days = np.ceil((rows["left_at"] - rows["entered_at"]) / DAY)
    seen = days.notna() & (days <= observable)
    ended = np.select([seen & (rows["to"] == "next"), seen & (rows["to"] == "lost")], [NEXT, LOST], WAITING)
    days = days.where(seen, observable).astype(int)
    return rows.assign(days=days, ended=ended, observable=observable)[STEP_COLUMNS]


def steps_from_first(records: Records) -> pd.DataFrame:
    """The same from the first stage on: one row a case and later stage; `days` since the first stage was entered."""
    rows = records.passages
    opened = rows[rows["place"] == 0].set_index(["part", "case_id"])["entered_at"].rename("opened_at")
    lost = rows[rows["to"] == "lost"].set_index(["part", "case_id"])["left_at"].rename("lost_at")
    cases = pd.concat([opened, lost], axis=1).dropna(subset="opened_at")
    frames = [_to_place(cases, rows, records, part, place) for part in records.parts
              for place in range(1, len(records.model.of(part)))]  # fmt: skip
    columns = ["part", "case_id", "place", "entered_at", "days", "ended", "observable"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def _to_place(cases: pd.DataFrame, rows: pd.DataFrame, records: Records, part: str, place: int) -> pd.DataFrame:
    own = cases[cases.index.get_level_values("part") == part].reset_index()
    here = rows[(rows["part"] == part) & (rows["place"] == place)].set_index("case_id")["entered_at"]
    reached = here.reindex(own["case_id"]).set_axis(own.index)
    observable = np.floor((records.end - own["opened_at"]) / DAY).astype(int)
    days = np.ceil((reached.fillna(own["lost_at"]) - own["opened_at"]) / DAY)
    seen = days.notna() & (days <= observable)
    ended = np.select([seen & reached.notna(), seen], [NEXT, LOST], WAITING)
    days = days.where(seen, observable).astype(int)
    return own.assign(place=place, entered_at=own["opened_at"], days=days, ended=ended, observable=observable)


def observed_from(rows: pd.DataFrame, records: Records) -> pd.DataFrame:
    """Only what was entered since the data begin: older cases are on file because they lasted, which slows curves."""
    return rows[rows["entered_at"] >= pd.Timestamp(records.since)]


def windows(records: Records, given: Windows | None = None) -> dict[str, int]:
    """Stage -> days within which the next stage must be reached to count.

    Parameters
    ----------
    given
        Days by stage name, which go before those read from the records: the whole weeks in which nine in ten of the
        cases that ever take the step have taken it, losses and unfinished cases reckoned with.
    """
    given = dict(given or {})
    asked = [stage.name for part in records.parts for stage in records.model.of(part)[:-1]]
    if set(asked) <= given.keys():
        return given
    found: dict[str, int] = {}
    for (stage,), rows in observed_from(steps(records), records).groupby(["stage"]):
        usual = first_day_at(well_observed(curves(rows["days"].to_numpy(), rows["ended"].to_numpy())), WINDOW_SHARE)
        if not math.isnan(usual):
            found[str(stage)] = max(7, math.ceil(usual / 7) * 7)
    return found | given


def well_observed(found: Curves) -> Curves:
    """The curves up to the last day on which enough cases are still observed."""
    enough = np.flatnonzero(found.at_risk >= LEAST_OBSERVED)
    until = int(enough[-1]) + 1 if len(enough) else 1
    return Curves(found.at_risk[:until], found.ends[:, :until], found.survival[:until], found.incidence[:, :until])
