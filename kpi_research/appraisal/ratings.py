"""Soft indicators: what several people said of one, on one scale, less what is only the mildness of who said it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kpi_research.appraisal.attainment import FloatArray
from kpi_research.appraisal.scheme import SchemeItem

FULL_SCALE = 100.0
SMALLEST_SQUARE = 1e-12
RATED_COLUMNS = ["entity_id", "kpi", "value", "n", "raters_missing", "status"]


@dataclass(frozen=True)
class Leniency:
    """How mild each rater is.

    Parameters
    ----------
    by_rater
        Points of a hundred by which a rater is above what the same people get from others, shrunk towards zero.
    ratings
        Rows that this rests on: of people whom at least two raters rated.
    reason
        Why nothing can be said, `no_common_people` or `no_difference`; empty if something can.
    """

    by_rater: pd.Series
    ratings: int
    reason: str = ""


def on_full_scale(ratings: pd.DataFrame) -> pd.DataFrame:
    """Ratings with `points` of a hundred; those whose highest mark is not known are left out."""
    known = ratings[ratings["scale_max"].astype(float) > 0]
    return known.assign(points=known["score"].astype(float) / known["scale_max"].astype(float) * FULL_SCALE)


def leniency(ratings: pd.DataFrame) -> Leniency:
    """Mildness of raters, from people who were rated by several of them.

    Nobody's rating of themselves enters: there mildness and merit are one. Persons are fixed and raters random effects;
    the variances are Henderson's third method's (1953), the effects best linear unbiased predictions, so that a rater
    of few people is corrected little. Where each person has one rater, a mild rater of weak people and a strict one of
    strong people look the same, and nothing is corrected.

    Parameters
    ----------
    ratings
        `person_id, kpi, rater, rater_id, points`; persons count for each KPI apart.
    """
    own = ratings["rater"].eq("self") | ratings["rater_id"].eq(ratings["person_id"])
    given = ratings[~own & ratings["rater_id"].notna()]
    raters = sorted(given["rater_id"].astype(str).unique())
    none = pd.Series(0.0, index=pd.Index(raters, name="rater_id", dtype=object))
    subject = given["person_id"].astype(str) + "\0" + given["kpi"].astype(str)
    several = given.groupby(subject)["rater_id"].transform("nunique") > 1
    used = given[several]
    if used.empty:
        return Leniency(none, 0, "no_common_people")
    person = pd.factorize(subject[several], sort=True)[0]
    rater = np.array([raters.index(str(each)) for each in used["rater_id"]])
    effects = _predicted(used["points"].to_numpy(dtype=float), person, rater, len(raters))
    if effects is None:
        return Leniency(none, len(used), "no_difference")
    return Leniency(none + effects, len(used))


def _predicted(points: FloatArray, person: np.ndarray, rater: np.ndarray, raters: int) -> FloatArray | None:
    """Best linear unbiased predictions of the raters' effects; None where they do not vary beyond chance."""
    people = np.eye(int(person.max()) + 1)[person]
    Z = _less_means(np.eye(raters)[rater], people)
    y = _less_means(points[:, None], people)[:, 0]
    fitted, _, rank, _ = np.linalg.lstsq(Z, y, rcond=None)
    residual_df = len(points) - people.shape[1] - int(rank)
    left = float(np.sum((y - Z @ fitted) ** 2))
    error = left / residual_df if residual_df > 0 else np.nan
    spread = float(np.sum(Z**2))
    between = (float(y @ y) - left - int(rank) * error) / spread if spread > SMALLEST_SQUARE else np.nan
    if not between > 0:
        return None
    return np.asarray(np.linalg.solve(Z.T @ Z + error / between * np.eye(raters), Z.T @ y))


def _less_means(values: FloatArray, groups: FloatArray) -> FloatArray:
    return np.asarray(values - groups @ (groups.T @ values / groups.sum(axis=0)[:, None]))


def rated(ratings: pd.DataFrame, item: SchemeItem, mild: Leniency) -> pd.DataFrame:
    """What everybody's raters gave for one soft KPI, weighed as the scheme says.

    A kind of rater who gave nothing has no weight, and the others have it in their proportion.

    Returns
    -------
    `entity_id, kpi, value` (points of a hundred), `n` ratings, `raters_missing` (kinds, comma-separated), `status`
    (`ok`, or `partial` where raters are missing); a row for each person who was rated.
    """
    rows = ratings[ratings["kpi"].eq(item.kpi) & ratings["rater"].isin(list(item.raters))]
    mildness = rows["rater_id"].astype(str).map(mild.by_rater).astype(float).fillna(0.0)
    corrected = rows["points"].astype(float) - mildness.where(rows["rater"].ne("self"), 0.0)
    rows = rows.assign(points=corrected.clip(0.0, FULL_SCALE))
    found = []
    for person, given in rows.groupby("person_id", sort=True):
        means = given.groupby("rater")["points"].mean()
        weights = pd.Series({rater: item.raters[rater] for rater in means.index})
        missing = [rater for rater in item.raters if rater not in means.index]
        value = float((means * weights).sum() / weights.sum())
        found.append((str(person), item.kpi, value, len(given), ",".join(missing), "partial" if missing else "ok"))
    return pd.DataFrame(found, columns=RATED_COLUMNS)
