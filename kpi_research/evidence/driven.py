"""The step up to "drives": only a change of the scheme that was compared with where nothing changed leads there."""

from __future__ import annotations

from collections.abc import Collection

from kpi_research.evidence.history import relabelled
from kpi_research.evidence.study import Study
from kpi_research.evidence.verdict import Verdict

DRIVES = Verdict("A", "change")
MAY_DRIVE = ("B", "C")
"""Letters from which a change leads to an A; for what does not go with results otherwise one change is too little."""


def driven(now: Study, kpis: Collection[str]) -> Study:
    """The study with those KPIs called drivers of which a change showed it (see `changes.drives`).

    Parameters
    ----------
    kpis
        Names; one whose letter is not among `MAY_DRIVE` keeps it.
    """
    shown = now.verdicts["kpi"].isin(kpis) & now.verdicts["code"].isin(MAY_DRIVE)
    return relabelled(now, shown, DRIVES)
