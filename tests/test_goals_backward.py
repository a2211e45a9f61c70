"""The funnel read backwards: the plain calculation by hand, the interval against worlds whose truth is known."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from kpi_research.appraisal import backward_funnel
from kpi_research.appraisal.backward_funnel import FunnelPast, needed
from kpi_research.errors import InputError

END = dt.date(2026, 10, 1)
STAGES = ("线索", "需求", "报价")
RATES = (0.7, 0.6, 0.55)
MEAN = 74_000.0


def world(deals: int, rng: np.random.Generator) -> pd.DataFrame:
    place, alive = np.zeros(deals, dtype=int), np.ones(deals, dtype=bool)
    for number, rate in enumerate(RATES):
        alive = alive & (rng.random(deals) < rate)
        place[alive] = number + 1
    won = place == len(RATES)
    amount, days = rng.gamma(6, MEAN / 6, deals), rng.gamma(4, 14, deals)
    return pd.DataFrame({"place": place, "amount": np.where(won, amount, np.nan), "days": np.where(won, days, np.nan)})


def ask(past: FunnelPast, amount: float = 3e6, *, weeks: float = 13, people: float = 10, seed: int = 1):
    return needed(past, amount, weeks=weeks, people=people, end=END, rng=np.random.default_rng(seed))


def by_hand() -> FunnelPast:
    """100 deals, 80 reach the second stage, 40 the third, 20 are won for 150,000 each after 30 (10) and 60 days (10)."""
    place = [0] * 20 + [1] * 40 + [2] * 20 + [3] * 20
    days = [np.nan] * 80 + [30.0] * 10 + [60.0] * 10
    deals = pd.DataFrame({"place": place, "amount": [9e9] * 80 + [150_000.0] * 20, "days": days})
    work = pd.DataFrame({"opened": [10] * 10, "visits": [40] * 10})
    return FunnelPast(STAGES, deals, leads=200, converted=50, from_leads=0.5, work=work)


def test_the_quarter_of_three_millions_by_hand():
    """Source: 季度新增合同 300 万. 3,000,000 / 150,000 = 20 wins; x 2 = 40; x 2 = 80; / .8 = 100 deals; half of them
    from leads of which one in four becomes a deal: 200 leads; four visits a deal: 400."""
    found = ask(by_hand())
    assert dict(zip(found.rows["what"], found.rows["needed"])) == pytest.approx(
        {"won": 20, "报价": 40, "需求": 80, "线索": 100, "lead": 200, "visits": 400}
    )
    visits = found.rows.set_index("what").loc["visits"]
    assert visits["per_week"] == pytest.approx(400 / 13) and visits["per_person_week"] == pytest.approx(400 / 130)
    assert (found.rows["low"] <= found.rows["needed"]).all() and (found.rows["needed"] <= found.rows["high"]).all()
    assert (found.mean_deal, found.wins, found.without_amount) == (150_000, 20, 0)
    assert (found.days_median, found.open_by) == (45, END - dt.timedelta(days=46))
    assert found.days_late == 60
    better = found.rates.set_index("step")["opened_if_better"]
    assert better["需求"] == pytest.approx(100 * 0.5 / 0.55) and better.idxmin() == "需求"


def test_amounts_of_lost_deals_do_not_count_and_unknown_ones_count_as_a_mean_deal():
    past = by_hand()
    gone = past.deals.copy()
    gone.loc[80:89, "amount"] = np.nan
    found = ask(FunnelPast(STAGES, gone))
    assert found.rows["needed"].iloc[0] == pytest.approx(20) and found.without_amount == 10


def test_too_few_wins_say_so():
    past = by_hand()
    few = past.deals.iloc[: 80 + backward_funnel.LEAST_WINS - 1]
    found = ask(FunnelPast(STAGES, few))
    assert found.status == "too_few_wins" and found.wins == 9 and found.rows.empty and found.open_by is None
    assert ask(FunnelPast(STAGES, past.deals.assign(amount=np.nan))).status == "no_amounts"


def test_too_few_leads_or_months_blank_their_own_row_only():
    past = by_hand()
    found = ask(FunnelPast(STAGES, past.deals, leads=40, converted=9, work=past.work.head(5))).rows.set_index("what")
    assert found.loc["lead", "status"] == found.loc["visits", "status"] == "too_few"
    assert np.isnan(found.loc["lead", "needed"]) and found.loc["won", "status"] == "ok"


def test_what_cannot_be_asked_is_refused_all_at_once():
    with pytest.raises(InputError) as caught:
        ask(by_hand(), 0, weeks=-1, people=0)
    assert len(caught.value.problems) == 3


def test_more_deals_behind_it_make_the_range_narrower_and_a_larger_goal_a_relatively_narrower_one():
    rng = np.random.default_rng(5)
    rows = world(4000, rng)
    widths = [ask(FunnelPast(STAGES, rows.head(n))).rows.iloc[3] for n in (200, 4000)]
    assert widths[1]["high"] - widths[1]["low"] < widths[0]["high"] - widths[0]["low"]
    large = ask(FunnelPast(STAGES, rows.head(4000)), 3e7).rows.iloc[3]
    assert (large["high"] - large["low"]) / large["needed"] < (widths[1]["high"] - widths[1]["low"]) / widths[1][
        "needed"
    ]


def test_beyond_thousands_of_deals_both_roads_meet(monkeypatch):
    past = FunnelPast(STAGES, world(300, np.random.default_rng(6)))
    drawn = ask(past, 1.5e8).rows
    monkeypatch.setattr(backward_funnel, "MOST_DRAWN", 100)
    plain = ask(past, 1.5e8).rows
    assert plain["low"].to_numpy() == pytest.approx(drawn["low"].to_numpy(), rel=0.02)
    assert plain["high"].to_numpy() == pytest.approx(drawn["high"].to_numpy(), rel=0.02)


def coverage(deals: int, amount: float, worlds: int, seed: int) -> float:
    """How often the deals that really had to be opened lay inside the interval."""
    rng, inside = np.random.default_rng(seed), 0
    for _ in range(worlds):
        row = ask(FunnelPast(STAGES, world(deals, rng)), amount, seed=int(rng.integers(1e9))).rows.iloc[3]
        to_come = world(int(amount / MEAN / np.prod(RATES) * 3) + 300, rng)
        sums = to_come["amount"].where(to_come["place"] == len(RATES), 0.0).cumsum()
        inside += row["low"] <= int((sums < amount).sum()) + 1 <= row["high"]
    return inside / worlds


def test_the_interval_holds_what_was_really_needed_smoke(monkeypatch):
    monkeypatch.setattr(backward_funnel, "REPLICATES", 200)
    assert coverage(300, 2e6, 60, 8) > 0.9 - 3 * (0.9 * 0.1 / 60) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("deals", "amount"), [(100, 1e6), (400, 3e6), (1500, 3e6)])
def test_the_interval_holds_what_was_really_needed(deals, amount, monkeypatch):
    """With 100 deals (23 wins) a bootstrap is a little narrow: 90 % may be 86 %."""
    monkeypatch.setattr(backward_funnel, "REPLICATES", 300)
    assert abs(coverage(deals, amount, 500, deals) - 0.9) < 0.04 + 2 * (0.9 * 0.1 / 500) ** 0.5
