"""How sure a warning must be: thresholds that keep a manager's false alarms within a budget, on the client's own past.

Whoever is warned for nothing stops reading. So every kind of warning is replayed over the past, each look a check with
its strength, and the lowest strength is taken at which false alarms stay within the budget; what such warnings were
worth is counted on the same looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

CHECK_COLUMNS = ["kind", "manager_id", "entity_id", "item", "case_id", "day", "strength", "came_true", "certain_on"]
Kind = Literal["pace", "drop", "stall", "no_contact"]
KINDS: tuple[Kind, ...] = ("pace", "drop", "stall", "no_contact")
FALSE_ALARMS = 2.0
"""False alarms a manager and month, all kinds together: with one a fortnight each can still be looked into."""
DEFAULTS: Mapping[Kind, float] = {"pace": 0.9, "drop": 3.0, "stall": 2.0, "no_contact": 2.0}
"""Where the past is too thin to choose: a miss nine times in ten; one chance in a thousand; twice the usual time."""
LEAST: Mapping[Kind, float] = {"pace": 0.5, "drop": 2.0, "stall": 1.0, "no_contact": 1.0}
"""Nothing weaker is a warning, whatever the budget has room for: a miss likelier than not, one chance in a hundred, the
limit itself."""
LEAST_MANAGER_MONTHS = 12
LEAST_CAME_TRUE = 5
"""With fewer warnings than these, a share of them says nothing."""


@dataclass(frozen=True)
class Tuned:
    """How sure a kind of warning must be, and what such warnings were worth in the past.

    Parameters
    ----------
    threshold
        Warn from this strength on.
    basis
        `measured` on the past, or the `default` since that is too thin.
    manager_months
        Looked back on.
    false_alarms
        Expected a manager and month, at most; null by default.
    warned, came_true
        Warnings of the past, one an entity, item and month, and how many of them came true.
    cases, foreseen
        What went wrong, and how much of it was warned of before it was certain.
    lead_days
        Median days from the first warning to when it was certain; null where nothing was foreseen.
    """

    kind: Kind
    threshold: float
    basis: Literal["measured", "default"]
    manager_months: int
    false_alarms: float
    warned: int
    came_true: int
    cases: int
    foreseen: int
    lead_days: float


def tune(
    checks: pd.DataFrame, kind: Kind, *, false_alarms: float = FALSE_ALARMS / len(KINDS), manager_months: int
) -> Tuned:
    """The threshold of a kind, never under `LEAST`.

    Parameters
    ----------
    checks
        Looks of the past whose end is known, in `CHECK_COLUMNS`: `day` of the look, `strength` whatever grows with
        sureness, `came_true`, and `certain_on`, null where that has no day; `case_id` joins looks at the same thing.
        Looks at everybody, not only at what was striking.
    false_alarms
        Budget of this kind a manager and month.
    manager_months
        Looked back on, months without any check included.

    Notes
    -----
    False alarms of a month can only fall as the threshold rises. The lowest threshold with (sum of false alarms + B) /
    (months + 1) within the budget, B the most that one month can have, keeps to the budget in a further month that is
    like the past ones: A. N. Angelopoulos, S. Bates, A. Fisch, L. Lei and T. Schuster (2024), Conformal risk control,
    ICLR. Months of one team resemble each other and seasons differ, so this is a promise on average, not for each team.
    """
    own = checks[checks["kind"] == kind].assign(month=lambda rows: rows["day"].dt.strftime("%Y-%m"))
    # a look again in the same month is the same warning
    key = ["manager_id", "month", "entity_id", "item"]
    wrong = own[~own["came_true"].astype(bool)].groupby(key)["strength"].max()
    most = int(wrong.groupby(["manager_id", "month"]).size().max()) if len(wrong) else 0
    allowed = math.floor(false_alarms * (manager_months + 1) - most)
    if manager_months < LEAST_MANAGER_MONTHS or allowed < 0 or own.empty:
        return _worth(own, kind, DEFAULTS[kind], "default", manager_months, math.nan)
    ranked = np.sort(wrong.to_numpy(dtype=float))[::-1]
    # just above the first false alarm that the budget has no room for
    above = float(np.nextafter(ranked[allowed], math.inf)) if allowed < len(ranked) else -math.inf
    threshold = max(LEAST[kind], above)
    count = int((ranked >= threshold).sum())
    return _worth(own, kind, threshold, "measured", manager_months, (count + most) / (manager_months + 1))


def _worth(
    own: pd.DataFrame, kind: Kind, threshold: float, basis: Literal["measured", "default"], months: int, wrong: float
) -> Tuned:
    warned = own[own["strength"] >= threshold]
    episodes = warned.sort_values("day").drop_duplicates(["manager_id", "month", "entity_id", "item"])
    true = own[own["came_true"].astype(bool)]
    certain = true.groupby("case_id")["certain_on"].min()
    first = warned[warned["came_true"].astype(bool)].groupby("case_id")["day"].min().reindex(certain.index)
    lead = (certain - first).dt.days.to_numpy(dtype=float)
    foreseen = first.notna().to_numpy() & ~(lead <= 0)
    known = lead[foreseen & ~np.isnan(lead)]
    return Tuned(
        kind, threshold, basis, months, wrong, len(episodes), int(episodes["came_true"].astype(bool).sum()),
        len(certain), int(foreseen.sum()), float(np.median(known)) if len(known) else math.nan,
    )  # fmt: skip
