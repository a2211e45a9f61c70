"""One KPI's effect by lag as a picture: for a report, and for an analyst at a notebook."""

from __future__ import annotations

import pandas as pd

from kpi_research.errors import InputError, Problem
from kpi_research.evidence.study import Study
from kpi_research.language import Language
from kpi_research.report.block import Figure
from kpi_research.report.charts import lag_profile

TESTS = ("lead_placebo", "same_period", "lag")


def plot(study: Study, kpi: str, *, language: Language = "en") -> Figure:
    """The effect of a KPI by lag with its 95 % intervals, the lead placebo set apart; JupyterLab shows it as it is.

    Returns
    -------
    A figure with its `svg`, the same in words (`alt`), and as its caption the verdict's sentence.

    Raises
    ------
    InputError
        If the study did not ask about the KPI.
    """
    verdicts = study.verdicts.set_index("kpi")
    if kpi not in verdicts.index:
        raise InputError(Problem("study.unknown_kpi", values={"given": kpi}, given=kpi, allowed=tuple(verdicts.index)))
    return lag_profile(profile_of(study, kpi), language, caption=str(verdicts.loc[kpi, f"sentence_{language}"]))


def profile_of(study: Study, kpi: str) -> pd.DataFrame:
    """`lag` (-1 the lead), `effect, low, high` of the tests that could be run."""
    found = study.findings
    rows = found[(found["kpi"] == kpi) & found["test"].isin(TESTS) & (found["status"] == "ok")]
    return pd.DataFrame({"lag": rows["lag"], "effect": rows["effect"], "low": rows["ci_low"], "high": rows["ci_high"]})
