"""The forecast of the open pipeline, put right by how such forecasts did on the client's own past.

The outlook of each deal (`outlook`) knows nothing of what befalls all deals together: a quarter's end, a season, a
year in which less is bought. The same outlook is therefore made for earlier days, each from what was on file then; how
far it was off sets this one right, and how much it was off differently from time to time is the width of the interval.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from kpi_research.funnel.outlook import ALL, OUTLOOK_COLUMNS, assumed_amounts, outlook
from kpi_research.funnel.records import Records
from kpi_research.periods import ONE_DAY
from kpi_research.policy import INTERVAL_LEVEL

FORECAST_COLUMNS = [*(name for name in OUTLOOK_COLUMNS if not name.endswith("spread")), "tests"]
BACKTEST_COLUMNS = [
    "as_of", "weeks", "standing", "tests", "outlook_wins", "wins", "wins_low", "wins_high", "won", "wins_inside",
    "outlook_money", "money", "money_low", "money_high", "signed", "money_inside",
]  # fmt: skip
WEEKS = 13
LEAST_TESTS = 3
"""Earlier outlooks from which on they set the next one right: the spread of two is no spread."""
MOST_TESTS = 12
REPLICATES_OF_TESTS = 40
LEAST_RECORD = 4
"""Tested forecasts under which nothing is said of how often they hold."""
TRUSTED_INSIDE = 0.7
"""If fewer of the past intervals than this held what came, the forecast says that it has been wrong too often."""


@dataclass(frozen=True)
class Forecast:
    """The forecast of one day, and the tests behind it.

    Parameters
    ----------
    rows
        In `FORECAST_COLUMNS`: a row a stage, and one for all (`stage` is `all`). `wins` and `money` are expected
        values. `assumed`: deals without an amount, which count with the mean amount of won deals of the same product.
        `tests`: how many earlier outlooks set it right; with fewer than `LEAST_TESTS` it is the plain outlook.
        `status` is `ok`; `unproven` (fewer than `LEAST_RECORD` tested forecasts); `unreliable` (too few of the tested
        intervals held what came); or there is none: `no_cases` (nothing is open), `too_few` (fewer than
        `outlook.LEAST_WINS` won deals) or `short_history` (fewer than `outlook.LEAST_DAYS` days). Deals that are not
        open yet are not in it.
    tests
        In `BACKTEST_COLUMNS`, oldest first: the forecast as it would have been made then from what was known then,
        beside what came. Every test is set right by the tests before it only.
    """

    rows: pd.DataFrame
    tests: pd.DataFrame

    @property
    def record(self) -> dict[str, float | int]:
        """`tests`, how many intervals held (`wins_inside, money_inside`), and forecast / outcome - 1 over all."""
        count = len(self.tests)
        held = {name: int(self.tests[name].sum()) for name in ("wins_inside", "money_inside")}
        pairs = (("wins", "won"), ("money", "signed"), ("outlook_wins", "won"), ("outlook_money", "signed"))
        bias = {f"{name}_bias": _bias(self.tests[name].sum(), self.tests[came].sum()) for name, came in pairs}
        return {"tests": count, **held, **bias}


def forecast(
    records: Records,
    *,
    rng: np.random.Generator,
    day: dt.date | None = None,
    weeks: int = WEEKS,
    reference: Records | None = None,
) -> Forecast:
    """What of the deals that are open at the end of a day will be won within some weeks.

    Parameters
    ----------
    records
        Of those whose pipeline it is; everything after `day` is left unseen.
    day
        By default the last day of the data.
    reference
        Whose deals the chances are estimated from, such as the whole company's; by default `records`.

    Notes
    -----
    Interval of a sum: its outlook times the exponential of m +- t s sqrt(1 + 1/n), with m and s the mean and the
    standard deviation of log(outcome / outlook) over the n earlier tests and t Student's of n - 1 degrees; s is at
    least the outlook's own. That is the empirical prediction interval of W. H. Williams and M. L. Goodman (1971), A
    simple method for the construction of empirical confidence limits for economic forecasts, JASA 66(336), 752-754.
    """
    day = day or records.until
    records, reference = records.as_of(day), (reference or records).as_of(day)
    now = outlook(records, day=day, weeks=weeks, rng=rng, reference=reference)
    past = _past(records, reference, weeks=weeks, rng=rng)
    tests = pd.DataFrame(
        [_test(row, past[:number]) for number, row in enumerate(past) if number >= LEAST_TESTS],
        columns=BACKTEST_COLUMNS,
    )
    rows = _set_right(now, past).reindex(columns=[*FORECAST_COLUMNS])
    made = Forecast(rows, tests)
    if now["status"].iloc[0] == "ok":
        rows["status"] = _trust(made.record)
    return made


def _trust(record: dict[str, float | int]) -> str:
    if record["tests"] < LEAST_RECORD:
        return "unproven"
    held = min(record["wins_inside"], record["money_inside"]) / record["tests"]
    return "ok" if held >= TRUSTED_INSIDE else "unreliable"


def _past(records: Records, reference: Records, *, weeks: int, rng: np.random.Generator) -> list[pd.Series]:
    """The outlooks of earlier days with what came, oldest first; one every `weeks` weeks, so that none share a week."""
    found: list[pd.Series] = []
    for step in range(1, MOST_TESTS + 1):
        day = records.until - ONE_DAY * 7 * weeks * step
        if day <= records.since:
            break
        made = outlook(
            records, day=day, weeks=weeks, rng=rng, reference=reference, replicates=REPLICATES_OF_TESTS
        ).iloc[-1]
        if made["status"] == "ok":
            found.append(pd.concat([made, pd.Series(_came(records, reference, day, weeks))]))
    return found[::-1]


def _came(records: Records, reference: Records, day: dt.date, weeks: int) -> dict[str, float]:
    """Of the deals that were open at the end of the day: how many were won in time, and for how much."""
    cases = records.cases[records.cases["part"] == "deals"]
    start, end = pd.Timestamp(day + ONE_DAY), pd.Timestamp(day + ONE_DAY * (7 * weeks + 1))
    came = cases[(cases["opened_at"] < start) & (cases["outcome"] == "won")]
    came = came[(came["closed_at"] >= start) & (came["closed_at"] < end)].reset_index(drop=True)
    known = came["amount"].where(came["amount"] > 0)
    guessed = assumed_amounts(came.assign(amount=np.nan), reference)[0]
    return {"won": float(len(came)), "signed": float(known.fillna(pd.Series(guessed, index=came.index)).sum())}


def _set_right(now: pd.DataFrame, past: Sequence[pd.Series]) -> pd.DataFrame:
    """The outlook by stage and of all, in the light of the tests before."""
    rows = now.assign(tests=len(past))
    if len(past) < LEAST_TESTS or now["status"].iloc[0] != "ok":
        return rows
    for name, came in (("wins", "won"), ("money", "signed")):
        middle, half = _error(now.iloc[-1], past, name, came)
        for end in (name, f"{name}_low", f"{name}_high"):
            rows[end] = rows[end] * np.exp(middle)
        total = float(rows[name].iloc[-1])
        rows.loc[rows.index[-1], [f"{name}_low", f"{name}_high"]] = [total * np.exp(-half), total * np.exp(half)]
    return rows


def _error(now: pd.Series, past: Sequence[pd.Series], name: str, came: str) -> tuple[float, float]:
    """How far such outlooks are off as a logarithm, and half the width of the interval around that."""
    # half a deal on either side, so that a stretch without any win has a logarithm
    half_deal = np.array([0.5 * row[name] / row["wins"] if row["wins"] > 0 else 0.5 for row in past])
    made, outcome = (np.array([float(row[key]) for row in past]) + half_deal for key in (name, came))
    off, count = np.log(outcome / made), len(past)
    own = float(now[f"{name}_spread"] / now[name]) if now[name] > 0 else 0.0
    spread = max(float(off.std(ddof=1)), own)
    quantile = float(stdtrit(count - 1, 0.5 + INTERVAL_LEVEL / 2))
    return float(off.mean()), quantile * spread * (1 + 1 / count) ** 0.5


def _test(row: pd.Series, before: Sequence[pd.Series]) -> dict[str, object]:
    made = _set_right(row.to_frame().T.infer_objects(), before).iloc[0]
    plain = {f"outlook_{name}": row[name] for name in ("wins", "money")}
    inside = {
        f"{name}_inside": bool(made[f"{name}_low"] <= row[came] <= made[f"{name}_high"])
        for name, came in (("wins", "won"), ("money", "signed"))
    }
    return {**{name: made[name] for name in BACKTEST_COLUMNS if name in made.index}, **plain, **inside}


def _bias(made: float, came: float) -> float:
    return float(made / came - 1) if came > 0 else float("nan")


__all__ = ["ALL", "BACKTEST_COLUMNS", "FORECAST_COLUMNS", "WEEKS", "Forecast", "forecast"]
