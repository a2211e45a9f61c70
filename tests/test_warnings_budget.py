"""False alarms stay within their budget: worked by hand, and in worlds whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from kpi_research.appraisal.alarm_budget import CHECK_COLUMNS, DEFAULTS, LEAST, tune
from kpi_research.appraisal.control_chart import AFTER_WEEKS, drops
from kpi_research.appraisal.early_warning import NOW_COLUMNS, surest


def checks(strengths, came_true, *, per_month: int = 4) -> pd.DataFrame:
    """Looks of one manager, so many a month, each at somebody else."""
    months = np.arange(len(strengths)) // per_month
    frame = pd.DataFrame(
        {
            "kind": "pace", "manager_id": "T1", "entity_id": [f"P{n % per_month}" for n in range(len(strengths))],
            "item": "", "case_id": [f"C{n}" for n in range(len(strengths))],
            "day": pd.to_datetime("2020-01-15") + months * pd.Timedelta(days=31), "strength": strengths,
            "came_true": came_true,
        }
    )  # fmt: skip
    certain = (frame["day"] + pd.Timedelta(days=20)).where(frame["came_true"])
    return frame.assign(certain_on=certain)[CHECK_COLUMNS]


def test_a_threshold_worked_by_hand():
    # 24 months of four looks, one of them true; the false ones have strengths 1 ... 72
    true = np.arange(96) % 4 == 0
    strengths = np.where(true, 60.5, 0.0)
    strengths[~true] = np.arange(1, 73)
    found = tune(checks(strengths, true), "pace", false_alarms=0.5, manager_months=24)
    # (false + 3) / 25 <= 0.5 leaves room for nine: those from 64 on
    assert 63 < found.threshold <= 64
    assert found.false_alarms == pytest.approx(12 / 25)
    assert (found.warned, found.came_true, found.cases, found.foreseen) == (9, 0, 24, 0)
    wider = tune(checks(strengths, true), "pace", false_alarms=1.0, manager_months=24)
    assert (wider.came_true, wider.foreseen, wider.lead_days) == (24, 24, 20.0)


def test_nothing_weak_is_a_warning_though_the_budget_has_room():
    found = tune(checks([0.1, 0.4, 0.6, 0.9] * 20, [True] * 80), "pace", manager_months=20)
    assert (found.threshold, found.basis, found.warned) == (LEAST["pace"], "measured", 40)


def test_too_short_a_past_is_said_and_the_default_taken():
    found = tune(checks(np.linspace(0, 1, 16), np.zeros(16, bool)), "pace", manager_months=4)
    assert (found.basis, found.threshold) == ("default", DEFAULTS["pace"])
    assert np.isnan(found.false_alarms)
    assert tune(checks([], []), "stall", manager_months=50).basis == "default"


def test_a_warning_after_it_was_certain_is_not_foreseen():
    late = checks([1.0] * 60, [True] * 60).assign(certain_on=pd.Timestamp("2019-01-01"))
    found = tune(late, "pace", manager_months=15)
    assert found.foreseen == 0
    assert np.isnan(found.lead_days)


def world(rng: np.random.Generator, months: int, skill: float = 1.0) -> pd.DataFrame:
    true = rng.random(months * 6) < 0.3
    return checks(9 + rng.normal(size=months * 6) + skill * true, true, per_month=6)


def new_false_alarms(rng: np.random.Generator, budget: float) -> float:
    """In twelve months that the threshold has not seen."""
    threshold = tune(world(rng, 40), "pace", false_alarms=budget, manager_months=40).threshold
    after = world(rng, 12)
    return float((~after["came_true"] & (after["strength"] >= threshold)).sum()) / 12


@pytest.mark.parametrize("budget", [0.5, 2.0])
def test_new_months_keep_to_the_budget_on_average_and_use_most_of_it(budget):
    rng = np.random.default_rng(1)
    rates = np.array([new_false_alarms(rng, budget) for _ in range(120)])
    assert rates.mean() <= budget + 2 * rates.std() / np.sqrt(len(rates))
    assert rates.mean() >= 0.6 * budget


PEOPLE, TEAMS = 24, 3


def counts(
    rng: np.random.Generator, weeks: int, dropped: tuple[int, int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Overdispersed visits with a common season and holidays; person `dropped[0]` falls to a fifth from a week on."""
    rate = rng.uniform(0.8, 1.6, PEOPLE)[:, None] * (1 + 0.3 * np.sin(np.arange(weeks) / 8))
    days = np.tile(np.where(np.arange(weeks) % 26 == 4, 2.0, 5.0), (PEOPLE, 1))
    if dropped is not None:
        rate = rate.copy()
        rate[dropped[0], dropped[1] :] *= 0.2
    mean = rate * days
    return rng.negative_binomial(mean, 0.5).astype(float), days


def looks(rng: np.random.Generator, weeks: int) -> pd.DataFrame:
    found = drops(*counts(rng, weeks))
    person, week = np.nonzero(~np.isnan(found.strength) & ~np.isnan(found.lasted))
    return pd.DataFrame(
        {
            "kind": "drop", "manager_id": person // (PEOPLE // TEAMS), "entity_id": person, "item": "visits",
            "case_id": [f"{who} {when}" for who, when in zip(person, week, strict=True)],
            "day": pd.Timestamp("2024-01-07") + pd.to_timedelta(7 * week, unit="D"),
            "strength": found.strength[person, week], "came_true": found.lasted[person, week] == 1,
            "certain_on": pd.NaT,
        }
    )  # fmt: skip


def months_of(frame: pd.DataFrame) -> int:
    return TEAMS * frame["day"].dt.to_period("M").nunique()


def false_alarms_after(rng: np.random.Generator, budget: float) -> tuple[float, float]:
    """Threshold of drops from two years without any true one, and what it brings in a third."""
    past, after = looks(rng, 104), looks(rng, 66)
    found = tune(past, "drop", false_alarms=budget, manager_months=months_of(past))
    wrong = after[(after["strength"] >= found.threshold) & ~after["came_true"]]
    warned = wrong.assign(month=wrong["day"].dt.to_period("M")).drop_duplicates(["entity_id", "month"])
    return found.threshold, len(warned) / months_of(after)


def test_drops_of_nobody_keep_to_the_budget_and_planted_ones_are_found_in_weeks():
    rng = np.random.default_rng(2)
    thresholds, rates = np.array([false_alarms_after(rng, 0.5) for _ in range(4)]).T
    assert rates.mean() <= 0.5 + 2 * max(rates.std(), 0.1) / np.sqrt(len(rates))
    delays = []
    for _ in range(8):
        who, start = int(rng.integers(PEOPLE)), 60
        strength = drops(*counts(rng, 75, (who, start))).strength[who, start:]
        sure = np.flatnonzero(strength >= thresholds.mean())
        delays.append(int(sure[0]) + 1 if len(sure) else 99)
    assert np.median(delays) <= 4
    assert max(delays) <= 8


@pytest.mark.slow
def test_drops_of_nobody_keep_to_the_budget_in_many_worlds():
    rng = np.random.default_rng(3)
    rates = np.array([false_alarms_after(rng, 0.5)[1] for _ in range(40)])
    assert rates.mean() <= 0.5 + 2 * rates.std() / np.sqrt(len(rates))


def test_a_holiday_of_all_is_nobodys_drop():
    rng = np.random.default_rng(4)
    given, days = counts(rng, 60)
    given[:, 50] = 0.0  # everybody stays at home though the calendar says work
    given[3, 50:55] = 0.0
    found = drops(given, days)
    assert np.nanmax(found.strength[[0, 1, 2], 50]) < 3
    assert found.strength[3, 54] > 3


def test_what_is_not_known_is_no_drop():
    rng = np.random.default_rng(5)
    given, days = counts(rng, 60)
    given[0, 50:] = np.nan
    given[1, :45] = np.nan
    given[2] = rng.poisson(0.2, 60)
    found = drops(given, days)
    assert np.isnan(found.strength[0, 50:]).all()
    assert np.isnan(found.strength[1, 45:57]).all()
    assert np.isnan(found.strength[2]).all()
    assert np.isnan(found.lasted[5, -AFTER_WEEKS:]).all()


def now(kind: str, case: str, strengths, amount: float = np.nan) -> pd.DataFrame:
    days = pd.date_range("2026-04-05", periods=len(strengths), freq="7D")
    rows = [
        (kind, "P1", "x", case, day, strength, 1, 2, 0, 3, amount)
        for day, strength in zip(days, strengths, strict=True)
    ]
    return pd.DataFrame(rows, columns=NOW_COLUMNS)


def test_a_warning_says_since_when_it_has_been_sure_and_kinds_take_turns():
    none = pd.DataFrame(columns=CHECK_COLUMNS).astype({"day": "datetime64[ns]", "certain_on": "datetime64[ns]"})
    tuned = {kind: tune(none, kind, manager_months=0) for kind in ("pace", "stall")}
    rows = surest(
        pd.concat(
            [now("pace", "A", [0.95, 0.5, 0.92, 0.99], 5), now("pace", "B", [0.99, 0.2]), now("pace", "C", [0.91], 9),
             now("stall", "D", [3.0], 1)]
        ),
        tuned,
    )  # fmt: skip
    assert rows["case_id"].tolist() == ["C", "D", "A"]
    assert rows.loc[2, "since"] == pd.Timestamp("2026-04-19")
    assert rows.loc[2, "strength"] == 0.99
