"""Claims such as "+30 % in half a year", held against half-years without the product."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from golden.planted_worlds import autoregressive

from kpi_research.errors import InputError
from kpi_research.evidence.claims import Claim, answer
from kpi_research.periods import Period


def monthly(numerator, denominator=None, *, first="2022-01", level="company", entity="company", kpi="win_rate"):
    numerator = np.asarray(numerator, dtype=float)
    bottom = np.full(len(numerator), np.nan) if denominator is None else np.asarray(denominator, dtype=float)
    return pd.DataFrame(
        {
            "level": level,
            "entity_id": entity,
            "period": [str(each) for each in pd.period_range(first, periods=len(numerator), freq="M")],
            "kpi": kpi,
            "value": numerator if denominator is None else numerator / bottom,
            "numerator": numerator,
            "denominator": bottom,
            "status": "ok",
        }
    )


def claim(size=0.30, before="2024H2", after="2025H1", form="relative", **options):
    return Claim("win_rate", size, form, Period.parse(before), Period.parse(after), **options)


def by_hand(values, *, until):
    """Half-year on half-year changes of every start month, the second half-year ending before place `until`."""
    starts = range(until - 12 + 1)
    return np.array([values[s + 6 : s + 12].sum() / values[s : s + 6].sum() - 1 for s in starts])


def test_every_pair_of_half_years_before_the_product_counts():
    values = np.random.default_rng(1).lognormal(3, 0.4, 30)
    found = answer(claim(0.10, "2023H1", "2024H1"), monthly(values))
    # a year apart
    changes = np.array([values[s + 12 : s + 18].sum() / values[s : s + 6].sum() - 1 for s in range(24 - 18 + 1)])
    assert found.changes == pytest.approx(changes) and found.comparables == 7
    found = answer(claim(0.10, "2023H2", "2024H1"), monthly(values))
    changes = by_hand(values, until=24)
    observed = values[24:30].sum() / values[18:24].sum() - 1
    assert found.changes == pytest.approx(changes)
    assert found.observed == pytest.approx(observed)
    assert found.as_claimed == np.sum(changes >= 0.10) and found.as_observed == np.sum(changes >= observed)
    assert (found.status, found.comparables, found.distinct, found.same_season) == ("ok", 13, 3, False)


def test_the_months_with_the_product_are_no_history():
    values = np.random.default_rng(2).lognormal(3, 0.4, 30)
    with_product = np.append(values[:24], values[24:] * 100)
    one, other = (answer(claim(0.1, "2023H2", "2024H1"), monthly(each)) for each in (values, with_product))
    assert one.changes == pytest.approx(other.changes) and one.as_claimed == other.as_claimed
    assert other.observed > 50 > one.observed


def test_a_ratio_over_half_a_year_is_that_of_the_sums():
    top, bottom = np.arange(1.0, 31), np.arange(10.0, 40) * np.tile([1, 3], 15)
    found = answer(claim(0.05, "2023H2", "2024H1", "points"), monthly(top, bottom))
    assert found.observed == pytest.approx(
        top[24:30].sum() / bottom[24:30].sum() - top[18:24].sum() / bottom[18:24].sum()
    )


def test_points_and_percent_are_two_claims():
    """From 20 % to 26 % is +30 % and +6 points."""
    top, bottom = np.append(np.full(24, 20.0), np.full(6, 26.0)), np.full(30, 100.0)
    rows = monthly(top, bottom)
    assert answer(claim(0.3, "2023H2", "2024H1"), rows).observed == pytest.approx(0.3)
    assert answer(claim(0.3, "2023H2", "2024H1", "points"), rows).observed == pytest.approx(0.06)


def test_with_three_years_only_the_same_season_is_compared():
    """Sales double every second half-year: +100 % is no wonder then, and unheard of at other times of the year."""
    season = np.tile(np.repeat([100.0, 200.0], 6), 4)
    found = answer(claim(0.9, "2025H1", "2025H2"), monthly(np.append(season[:42], np.full(6, 210.0))))
    assert found.same_season and (found.comparables, found.distinct) == (8, 3)
    assert (found.as_claimed, found.observed) == (3, pytest.approx(1.1))
    falling = answer(claim(-0.4, "2025H2", "2026H1"), monthly(np.append(season, np.full(6, 100.0))))
    assert falling.as_claimed == 3 and falling.same_season


def test_a_fall_is_counted_downwards():
    values = np.random.default_rng(3).lognormal(3, 0.4, 24)
    found = answer(claim(-0.1, "2023H2", "2024H1"), monthly(values))
    assert found.as_claimed == np.sum(by_hand(values, until=24) <= -0.1)
    assert np.isnan(found.observed), "the half-year after is not in the data"


def test_a_rise_after_a_low_is_expected():
    """No product does anything; it comes after a poor half-year. What usually follows one is most of the rise."""
    expected, observed, plain = [], [], []
    for seed in range(80):
        values = np.exp(0.3 * autoregressive(np.random.default_rng(seed), (1, 54), 0.3)[0])
        worst = 4 + int(np.argmin(values.reshape(-1, 6).sum(axis=1)[4:8]))
        after = Period.parse("2022H1").shift(worst + 1)
        found = answer(claim(0.3, after.shift(-1).name, after.name), monthly(values[: 6 * worst + 12]))
        if np.isfinite(found.expected):
            expected.append(found.expected)
            observed.append(found.observed)
            plain.append(found.changes.mean())
            assert 0 <= found.as_claimed_then <= 1
    assert np.mean(observed) > 0.15, "a rise out of nothing"
    assert np.mean(expected) == pytest.approx(np.mean(observed), abs=0.06)
    assert np.mean(plain) < np.mean(expected) / 2


@pytest.mark.parametrize(
    ("values", "status"),
    [(np.arange(1.0, 17), "too_short"), (np.zeros(30), "no_values"), (np.full(30, np.nan), "no_values")],
)
def test_too_little_to_answer_from(values, status):
    first = "2023-09" if status == "too_short" else "2022-07"
    found = answer(claim(), monthly(values, first=first))
    assert (found.status, found.as_claimed) == (status, 0)


def test_a_team_without_the_kpi_has_no_values():
    rows = pd.concat([monthly(np.ones(40)), monthly(np.ones(40), level="team", entity="T01", kpi="visits")])
    assert answer(claim(who="T01"), rows).status == "no_values"


def test_gaps_of_more_than_half_are_no_value():
    values = np.random.default_rng(4).lognormal(3, 0.4, 36)
    values[8:12] = np.nan
    found = answer(claim(0.1, "2024H1", "2024H2"), monthly(values))
    assert (
        found.comparables < answer(claim(0.1, "2024H1", "2024H2"), monthly(np.nan_to_num(values, nan=20.0))).comparables
    )


def test_a_team_is_held_to_its_own_months():
    rows = pd.concat([monthly(np.arange(1.0, 37)), monthly(np.arange(36.0, 0, -1), level="team", entity="T01")])
    assert answer(claim(0.1, "2024H1", "2024H2"), rows).as_claimed > 0
    assert answer(claim(0.1, "2024H1", "2024H2", who="T01"), rows).as_claimed == 0


def test_a_claim_must_say_what_it_means():
    with pytest.raises(InputError) as wrong:
        claim(0.0, "2025H1", "2024H2", None)
    assert {each.key for each in wrong.value.problems} == {"claims.form", "claims.size", "claims.order"}
    with pytest.raises(InputError) as wrong:
        claim(0.3, "2024-W10", "2024-W11")
    assert {each.key for each in wrong.value.problems} == {"claims.months"}
    with pytest.raises(InputError) as wrong:
        answer(claim(who="T9"), monthly(np.ones(30)).assign(kpi="visits"))
    assert {each.key for each in wrong.value.problems} == {"claims.unknown_kpi", "claims.unknown_who"}
