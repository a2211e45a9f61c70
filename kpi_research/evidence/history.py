"""Verdicts over time: a study is repeated every quarter, and who looks often enough sees everything once by chance.

So the step up to "predicts" is taken at the second passing in a row. Steps down are taken at once: that a KPI fails is
reason enough to stop relying on it.
"""

from __future__ import annotations

from dataclasses import fields, replace

import pandas as pd

from kpi_research.evidence.study import Study
from kpi_research.evidence.verdict import Evidence, Verdict, sentence
from kpi_research.language import LANGUAGES

NEW = Verdict("C", "new")


def confirmed(now: Study, before: Study | None) -> Study:
    """The study with every KPI that passed for the first time called associated, and said to have passed once.

    Parameters
    ----------
    now, before
        Of one plan, outcome and family; `before` is the study of the period before, None where there is none.
    """
    earlier = set() if before is None else set(before.verdicts.loc[before.verdicts["code"].isin(["B"]), "kpi"])
    is_new = now.verdicts["code"].isin(["B"]) & ~now.verdicts["kpi"].isin(earlier)
    return relabelled(now, is_new, NEW)


def relabelled(now: Study, which: pd.Series, verdict: Verdict) -> Study:
    """The study with another verdict, and its sentences, for some rows of its verdicts."""
    if not which.any():
        return now
    verdicts = now.verdicts.copy()
    verdicts.loc[which, ["code", "gate"]] = [verdict.code, verdict.gate]
    for language in LANGUAGES:
        told = [sentence(verdict, evidence_of(row), now.plan, language) for _, row in verdicts[which].iterrows()]
        verdicts.loc[which, f"sentence_{language}"] = told
    return replace(now, verdicts=verdicts)


def evidence_of(row: pd.Series) -> Evidence:
    """What a row of `Study.verdicts` keeps of the evidence."""
    return Evidence(**{each.name: row[each.name] for each in fields(Evidence) if each.name in row.index})
