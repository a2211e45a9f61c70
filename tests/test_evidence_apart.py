"""KPIs that are counted from the deals that the result is counted from, in worlds of single deals whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from golden.planted_worlds import panel_of

from kpi_research.evidence.apart import fit_apart, seen_apart
from kpi_research.evidence.lags import fit_lags
from kpi_research.evidence.outcome import outcome_of
from kpi_research.evidence.study import study
from kpi_research.evidence.verdict import APART_ALPHA

RECENT = 3
LENGTHS, CHANCES = np.arange(6), [0.05, 0.25, 0.30, 0.20, 0.12, 0.08]


def deals(seed: int, *, effect: float = 0.0, demand: float = 0.0, people: int = 40, periods: int = 24, burn: int = 8):
    """Proposals, contracts, their amounts, and those from recent deals: person x month, all counted from the same deals.

    `effect`: log of how many more deals begin in the month after one more proposal. `demand`: spread of what lasts.
    """
    rng = np.random.default_rng(seed)
    months = periods + burn
    usual = rng.normal(0, 0.4, (people, 1)) + 0.3 * np.sin(2 * np.pi * np.arange(months) / 12)
    shock, lasting = rng.normal(size=(people, months)), np.zeros((people, months))
    for month in range(1, months):
        lasting[:, month] = 0.7 * lasting[:, month - 1] + np.sqrt(0.51) * shock[:, month]
    sent, signed, amount, recent = (np.zeros((people, months + len(LENGTHS))) for _ in range(4))
    for month in range(months):
        push = effect * (sent[:, month - 1] - 1.6) if month else 0.0
        begun = rng.poisson(np.minimum(2 * np.exp(usual[:, month] + demand * lasting[:, month] + push), 30))
        who = np.repeat(np.arange(people), begun)
        length = rng.choice(LENGTHS, size=len(who), p=CHANCES)
        offered, won = rng.random(len(who)) < 0.8, rng.random(len(who)) < 0.5
        at = month + np.rint(length * rng.uniform(0.2, 0.8, len(who))).astype(int)
        money = rng.lognormal(0, 0.8, len(who))
        np.add.at(sent, (who[offered], at[offered]), 1)
        np.add.at(signed, (who[won], month + length[won]), 1)
        np.add.at(amount, (who[won], month + length[won]), money[won])
        young = won & (length < RECENT)
        np.add.at(recent, (who[young], month + length[young]), money[young])
    shown = slice(burn, months)
    return {"proposals": sent[:, shown], "contracts": signed[:, shown]}, amount[:, shown], recent[:, shown]


def rates(draws: int, **kind) -> pd.DataFrame:
    """Of each KPI how often the usual test and the one apart are below 5 %, and the latter below the ladder's level."""
    rows = []
    for seed in range(draws):
        kpis, y, recent = deals(seed, **kind)
        for name, x in kpis.items():
            found = fit_apart(recent, y, x, RECENT)
            usual = fit_lags(outcome_of(y).tested, x, RECENT).joint.p < 0.05
            rows.append((name, usual, found.p < 0.05, found.p <= APART_ALPHA))
    return pd.DataFrame(rows, columns=["kpi", "usual", "apart", "ladder"]).groupby("kpi").mean()


def test_proposals_that_bring_nothing_are_seen_through():
    found = rates(25).loc["proposals"]
    assert found["usual"] > 0.9
    assert found["apart"] <= 0.2, "5 of 25 at a level of 5 % is a chance of one in 200"


@pytest.mark.slow
def test_how_often_shared_records_are_mistaken_for_an_effect():
    nothing, lasting, real = rates(400), rates(400, demand=0.4), rates(400, effect=0.15)
    print(pd.concat({"nothing": nothing, "lasting demand": lasting, "effect": real}).round(3).to_string())
    assert nothing.loc["proposals", "usual"] > 0.95
    assert nothing["apart"].max() <= 0.05 + 5 * np.sqrt(0.05 * 0.95 / 400), "with its bias of order 1/T"
    assert max(nothing["ladder"].max(), lasting["ladder"].max()) <= 0.05
    assert real.loc["proposals", "apart"] > 0.4


@pytest.mark.parametrize(
    ("seed", "effect", "code", "gate"), [(2, 0.0, "H", "apart"), (2, 0.2, "C", "apart"), (0, 0.2, "H", "apart_lead")]
)
def test_the_ladder_says_so(seed, effect, code, gate):
    kpis, y, recent = deals(seed, effect=effect, people=200)
    asked = {"outcome": "amount", "kpis": ["proposals"], "lineage": ["proposals", "recent"]}
    panel = panel_of({"amount": y, "recent": recent, **kpis})
    (row,) = study(panel, **asked, recent=("recent", RECENT)).verdicts.to_dict("records")
    assert (row["code"], row["gate"]) == (code, gate)
    assert np.isnan(row["effect"]) and np.isnan(row["ci_low"]), "moves together by definition: no size to tell"
    assert np.isnan(row["q"]), "no discovery of the family"
    (untold,) = study(panel, **asked).verdicts.to_dict("records")
    assert (untold["code"], untold["gate"]) == ("H", "lineage")


def test_a_kpi_that_cannot_be_estimated_is_left_out():
    kpis, y, recent = deals(1)
    assert set(seen_apart(recent, y, {**kpis, "constant": np.ones_like(y)}, RECENT)) == {"proposals", "contracts"}
