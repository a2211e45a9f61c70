"""The step up to "drives": only a change of the scheme that was compared with where nothing changed leads there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from kpi_research.evidence.history import evidence_of
from kpi_research.evidence.study import Study
from kpi_research.evidence.verdict import Verdict, sentence
from kpi_research.language import LANGUAGES

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
    if not shown.any():
        return now
    verdicts = now.verdicts.copy()
    verdicts.loc[shown, ["code", "gate"]] = [DRIVES.code, DRIVES.gate]
    for language in LANGUAGES:
        told = [sentence(DRIVES, evidence_of(row), now.plan, language) for _, row in verdicts[shown].iterrows()]
        verdicts.loc[shown, f"sentence_{language}"] = told
    return replace(now, verdicts=verdicts)
