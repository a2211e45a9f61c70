"""What readers see of negative controls: what was held against them, and what could not be."""

import datetime as dt
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from golden.planted_worlds import panel_of
from test_evidence_negative_controls import CAUSED, TRUE, world

from kpi_research.evidence.study import Study, study
from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import LANGUAGES
from kpi_research.periods import Period
from kpi_research.report.data import PageData
from kpi_research.report.html import block_html
from kpi_research.report.page import build, sections

NAMES = {"result": "signed_amount", "kpi": "visits", "control": "nps", "another": "complaint_rate"}
BROKEN = re.compile(r"\bnan\b|\bNone\b|<NA>|\{[a-z_]+\}")


def studied(controls: list[str], *, constant: bool = False, kind=CAUSED) -> Study:
    values = world(2, **kind)
    if constant:
        values["control"] = np.ones_like(values["control"])
    panel = panel_of({NAMES[name]: each for name, each in values.items()})
    labels = {name: catalogue()[name].label for name in controls}
    asof = panel[panel["kpi"] == "visits"]
    asked = {"kpis": ["visits"], "negative_controls": controls, "labels": labels, "with_depth": False}
    return study(panel, outcome="signed_amount", asof=asof, **asked)


def shown(found: Study, section: str, language: str, audience: str = "analyst") -> dict[str, str]:
    """The HTML of a section's blocks."""
    empty = pd.DataFrame()
    page = PageData(
        client_title="", language=language, audience=audience, currency="CNY", period=Period.parse("2025Q4"),
        level="company", entity_id="C", entity_name="C", outcome="signed_amount", kpis=catalogue(), history=empty,
        people=empty, names={}, study=found, quality=SimpleNamespace(missing=()), until=dt.date(2025, 12, 31),
    )  # fmt: skip
    return {block.name: block_html(block, language, currency="CNY") for block in build(sections()[section], page)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_analyst_sees_what_each_kpi_shows_on_each_control(language):
    found = studied(["nps", "complaint_rate"])
    blocks = shown(found, "findings", language)
    tests = found.findings[found.findings["test"] == "negative_control"]
    assert all(catalogue()[name].label[language] in blocks["controls"] for name in ("visits", "nps", "complaint_rate"))
    assert all(f"{effect:.2g}" in blocks["controls"] for effect in tests["effect"])
    assert {"zh": "对照 p", "en": "control p"}[language] in blocks["gates"]
    assert not BROKEN.search(re.sub(r"<svg.*?</svg>", "", "".join(blocks.values()), flags=re.S))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("section", "block"), [("findings", "controls"), ("activities", "activities")])
def test_a_control_that_was_not_asked_is_said_to_whoever_reads_the_verdict(language, section, block):
    told = shown(studied(["nps"], constant=True), section, language)[block]
    label = catalogue()["nps"].label[language]
    assert {"zh": f"对照指标“{label}”没有用上", "en": f"The control “{label}” could not be used"}[language] in told
    asked = shown(studied(["nps"], kind=TRUE), section, language)[block]
    assert not re.search("没有用上|could not be used", asked)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_manager_reads_the_name_of_the_control_and_no_statistics(language):
    told = shown(studied(["nps"]), "activities", language, "manager")["activities"]
    assert f"“{catalogue()['nps'].label[language]}”" in told
    assert not re.search(r"placebo|negative control|阴性|安慰剂|p-value|p 值", told)


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_controls_nothing_is_said_of_them(language):
    blocks = shown(studied([]), "findings", language)
    assert "controls" not in blocks and not re.search("对照 p|control p", blocks["gates"])
