"""Which negative controls could not be asked, in words: a verdict must not seem to have passed what was never held."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kpi_research.evidence.negative_controls import not_asked
from kpi_research.evidence.study import Study
from kpi_research.language import Language, say
from kpi_research.report.words import listed


def controls_not_asked(study: Study, label: Callable[[str], str], language: Language) -> Iterator[str]:
    """A sentence for each control that some KPI could not be held against.

    Parameters
    ----------
    label
        What a KPI is called.
    """
    for control, rows in not_asked(study.findings).groupby("outcome"):
        reasons = (say(f"study.reason.{reason}", language) for reason in sorted(set(rows["reason"])))
        yield say(
            "findings.note.control_not_asked",
            language,
            control=label(str(control)),
            reasons=listed(reasons, language),
            kpis=listed((label(kpi) for kpi in rows["kpi"]), language),
        )
