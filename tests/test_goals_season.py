"""The season is believed as far as it repeats itself."""

import numpy as np
import pandas as pd
import pytest

from kpi_research.appraisal.season import given_season, season_of


def months_of(values, first="2022-01"):
    names = [f"{period}" for period in pd.period_range(first, periods=len(values), freq="M")]
    return pd.Series(np.asarray(values, dtype=float), index=names)


def test_one_year_is_believed_by_half_and_less_not_at_all():
    year = months_of([20, *[10] * 10, 0])
    assert season_of(year.iloc[1:]).status == "short" and set(season_of(year.iloc[1:]).weights.values()) == {1.0}
    found = season_of(year)
    assert found.status == "one_year" and found.weights[1] == 1.5 and found.weights[12] == 0.5
    assert season_of(months_of([0.0] * 12)).status == "not_positive"


def test_what_repeats_is_believed_and_chance_is_not():
    shape = np.array([5, 5, 12, 10, 10, 12, 9, 8, 12, 10, 10, 17]) / 10
    same = season_of(months_of(np.tile(shape, 3) * 1e6))
    assert same.trusted == 1.0 and [*same.weights.values()] == pytest.approx(shape)
    rng = np.random.default_rng(1)
    trusted = [season_of(months_of(rng.gamma(25, 1, 36))).trusted for _ in range(200)]
    # of pure chance a level year is right: most of what is seen must be taken back
    assert np.mean(trusted) < 0.25


def test_a_shrunken_season_forecasts_the_next_year_better_than_the_raw_and_the_level_one():
    rng = np.random.default_rng(2)
    errors = np.zeros(3)
    for _ in range(150):
        truth = 1 + 0.15 * rng.standard_normal(12)
        truth = truth / truth.mean()
        seen = np.tile(truth, 2) * rng.gamma(25, 1 / 25, 24)
        found = np.array([*season_of(months_of(seen)).weights.values()])
        years = seen.reshape(2, 12)
        raw = (years / years.mean(axis=1, keepdims=True)).mean(axis=0)
        errors += [((each - truth) ** 2).sum() for each in (found, raw, np.ones(12))]
    assert errors[0] < errors[1] < errors[2]


def test_a_fiscal_years_given_season_begins_with_its_first_month():
    found = given_season((2.0, *[1.0] * 11), 4)
    assert max(found.weights, key=found.weights.get) == 4 and sum(found.weights.values()) == pytest.approx(12)
