"""Scores: the arithmetic by hand, what is missing is never zero, and intervals that cover what they claim."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kpi_research.appraisal.ranking import rates_differ, scores_differ
from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.score import score
from kpi_research.kpis.catalogue import catalogue

KPIS = {name: catalogue()[name] for name in ("signed_amount", "nps", "won_cycle_days", "renewal_rate")}
SLICES = [f"S{number:02d}" for number in range(13)]


def scheme(**weights: float) -> Scheme:
    items = [{"kpi": kpi, "weight": weight} for kpi, weight in weights.items()]
    return Scheme.model_validate({"name": "own", "label": {"zh": "自定", "en": "Own"}, "items": items})


def rows(parts: dict[str, tuple[float, float | None, str]], period: str = "Q", entity: str = "P1") -> pd.DataFrame:
    """Panel rows from (numerator, denominator, status)."""
    found = []
    for kpi, (numerator, denominator, status) in parts.items():
        value = numerator / denominator if denominator else numerator
        shown = value if status in ("ok", "partial") else np.nan
        found.append((entity, period, kpi, shown, numerator, denominator, 10.0, status))
    columns = ["entity_id", "period", "kpi", "value", "numerator", "denominator", "n", "status"]
    return pd.DataFrame(found, columns=columns)


def spread(parts: dict[str, tuple[float, float | None, str]]) -> pd.DataFrame:
    """The same, in thirteen equal slices."""
    share = {kpi: (n / 13, d / 13 if d else None, status) for kpi, (n, d, status) in parts.items()}
    return pd.concat([rows(share, name) for name in SLICES])


def scored(parts, targets, own: Scheme):
    targets = {("P1", kpi): target for kpi, target in targets.items()}
    rng = np.random.default_rng(1)
    return score(rows(parts), spread(parts), scheme=own, kpis=KPIS, targets=targets, rng=rng)


def test_the_arithmetic_by_hand():
    parts = {"signed_amount": (90.0, None, "ok"), "nps": (600.0, 10.0, "ok"), "won_cycle_days": (240.0, 8.0, "ok")}
    own = scheme(signed_amount=50, nps=30, won_cycle_days=20)
    found = scored(parts, {"signed_amount": 100.0, "nps": 40.0, "won_cycle_days": 24.0}, own)
    table = found.rows.set_index("kpi")
    assert table["attainment"].to_dict() == pytest.approx(
        {"signed_amount": 0.9, "nps": 1.5, "won_cycle_days": 2 - 30 / 24}
    )
    assert table["points"].to_dict() == pytest.approx({"signed_amount": 45, "nps": 30 * 1.2, "won_cycle_days": 15})
    assert found.totals["score"].tolist() == pytest.approx([96.0])
    assert found.totals["status"].tolist() == ["ok"]


def test_what_is_missing_is_left_out_and_never_zero():
    parts = {"signed_amount": (100.0, None, "ok"), "nps": (0.0, 0.0, "no_cases")}
    found = scored(parts, {"signed_amount": 100.0, "nps": 40.0}, scheme(signed_amount=70, nps=30))
    total = found.totals.iloc[0]
    assert total["score"] == pytest.approx(100) and total["scored_weight"] == pytest.approx(0.7)
    assert total["status"] == "partial_weight"
    missing = found.rows.set_index("kpi").loc["nps"]
    assert missing["status"] == "no_cases" and np.isnan(missing["points"])


def test_too_little_weight_gives_no_total():
    parts = {"signed_amount": (100.0, None, "ok"), "nps": (5.0, 1.0, "too_few")}
    found = scored(parts, {"signed_amount": 100.0, "nps": 40.0}, scheme(signed_amount=50, nps=50))
    assert np.isnan(found.totals["score"]).all() and found.totals["status"].tolist() == ["not_scored"]


@pytest.mark.parametrize("target", [None, 0.0, -5.0])
def test_without_a_positive_target_there_is_no_attainment(target):
    targets = {} if target is None else {"signed_amount": target}
    found = scored({"signed_amount": (90.0, None, "ok")}, targets, scheme(signed_amount=100))
    assert found.rows["status"].tolist() == ["no_target"] and found.totals["status"].tolist() == ["not_scored"]


def test_a_negative_nps_earns_nothing_and_costs_nothing():
    parts = {"signed_amount": (100.0, None, "ok"), "nps": (-500.0, 10.0, "ok")}
    found = scored(parts, {"signed_amount": 100.0, "nps": 40.0}, scheme(signed_amount=70, nps=30))
    assert found.rows.set_index("kpi").loc["nps", "points"] == 0
    assert found.totals["score"].tolist() == pytest.approx([70.0])


def test_who_else_is_scored_changes_no_interval():
    parts = {"signed_amount": (90.0, None, "ok")}
    slices = pd.concat([rows({"signed_amount": (float(w), None, "ok")}, name) for w, name in enumerate(SLICES)])
    both = [pd.concat([frame, frame.assign(entity_id="P0")]) for frame in (rows(parts), slices)]
    own, targets = scheme(signed_amount=100), {("P1", "signed_amount"): 100.0, ("P0", "signed_amount"): 50.0}
    alone = score(rows(parts), slices, scheme=own, kpis=KPIS, targets=targets, rng=np.random.default_rng(1))
    among = score(*both, scheme=own, kpis=KPIS, targets=targets, rng=np.random.default_rng(1))
    pd.testing.assert_series_equal(
        alone.totals.iloc[0], among.totals.set_index("entity_id", drop=False).loc["P1"], check_names=False
    )


def test_intervals_of_totals_cover_the_expected_total():
    """Known truth: 4 deals a week of about 10 each; the 90 % interval of a quarter's total must hold its mean."""
    rng = np.random.default_rng(7)
    expected, covered, quarters = 13 * 4 * 10.0, 0, 400
    for _ in range(quarters):
        deals = rng.poisson(4, 13)
        weeks = np.array([rng.lognormal(np.log(10) - 0.45**2 / 2, 0.45, count).sum() for count in deals])
        slices = pd.concat([rows({"signed_amount": (week, None, "ok")}, name) for week, name in zip(weeks, SLICES)])
        given = rows({"signed_amount": (weeks.sum(), None, "ok")})
        found = score(given, slices, scheme=scheme(signed_amount=100), kpis=KPIS, targets={}, rng=rng).rows.iloc[0]
        covered += found["actual_low"] <= expected <= found["actual_high"]
    # thirteen weeks give a little less than the nominal 90 %: 86-90 % is what the method document states
    assert 0.83 <= covered / quarters <= 0.93


def test_rates_against_scipys_own_homogeneity_test():
    wins, trials = pd.Series([30, 45, 12]), pd.Series([60, 70, 30])
    found = rates_differ(wins, trials)
    pooled = wins.sum() / trials.sum()
    by_hand = (((wins - trials * pooled) ** 2) / (trials * pooled * (1 - pooled))).sum()
    assert found.statistic == pytest.approx(by_hand) and found.df == 2
    assert found.p == pytest.approx(stats.chi2.sf(by_hand, 2))


@pytest.mark.parametrize(("wins", "trials"), [([1], [2]), ([0, 0], [5, 5]), ([5, 5], [5, 5]), ([1, 0], [2, 0])])
def test_where_rates_cannot_be_compared_the_reason_is_said(wins, trials):
    found = rates_differ(pd.Series(wins), pd.Series(trials))
    assert found.reason == "too_few" and not found.distinguishable


def test_equal_scores_are_told_apart_in_five_percent_only():
    rng = np.random.default_rng(3)
    errors = pd.Series(np.full(8, 6.0))
    alike = [scores_differ(pd.Series(rng.normal(90, 6, 8)), errors).distinguishable for _ in range(2000)]
    assert stats.binomtest(sum(alike), 2000, 0.05).pvalue > 0.001
    assert scores_differ(pd.Series([60, 60, 60, 60, 120, 120, 120, 120.0]), errors).distinguishable
