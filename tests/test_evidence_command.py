"""The study alone: on the terminal, as JSON, and one KPI as a picture."""

import json

import numpy as np
import pytest
from golden.planted_worlds import panel_of

import kpi_research as kr
from kpi_research.cli import main
from kpi_research.errors import InputError


@pytest.fixture(scope="module")
def driven():
    rng = np.random.default_rng(1)
    visits = rng.poisson(5, (30, 24)).astype(float)
    return kr.study(
        panel_of({"visits": visits, "amount": np.roll(visits, 1, axis=1) / 2 + rng.normal(size=visits.shape)}),
        outcome="amount",
    )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_verdicts_stand_on_the_terminal(small_client, capsys, language, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["evidence", str(small_client), "--language", language]) == 0
    shown = capsys.readouterr().out
    study = kr.open_client(small_client)
    for kpi in study.predictors():
        assert kpi.label[language] in shown
    assert {"zh": "数据不足", "en": "Insufficient data"}[language] in shown


def test_the_same_as_json(small_client, capsys):
    assert main(["evidence", str(small_client), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["code"] for row in rows} <= set("HNRDFGEICBA") and {"gate", "sentence_zh", "q"} <= set(rows[0])


def test_a_period_that_is_not_there_is_said(small_client, capsys):
    assert main(["evidence", str(small_client), "--period", "2031Q1", "--language", "en"]) == 2
    assert "2031Q1" in capsys.readouterr().err


def test_a_kpi_as_a_picture(driven):
    figure = kr.plot(driven, "visits")
    found = driven.findings.set_index(["kpi", "test", "lag"]).sort_index()
    assert f"{found.loc[('visits', 'lag', 1), 'effect']:.2f}" in figure.alt, "the picture says the number of the table"
    assert figure.caption == driven.verdicts["sentence_en"].iloc[0]
    assert figure.svg.startswith("<svg") and "<svg" in figure._repr_html_()
    assert kr.plot(driven, "visits", language="zh").alt != figure.alt


def test_a_picture_of_a_kpi_that_was_not_asked_about(driven):
    with pytest.raises(InputError, match="Did you mean visits"):
        kr.plot(driven, "visit")


def test_predictors_of_which_nothing_is_on_file(small_client, capsys):
    text = small_client.read_text(encoding="utf-8")
    small_client.write_text(text.replace("[visits, calls, signed_contracts]", "[proposals]"), encoding="utf-8")
    assert main(["evidence", str(small_client), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["kpi"], row["code"]) == ("proposals", "N")


def test_a_client_s_negative_controls_are_part_of_its_study(small_client, capsys):
    before = kr.open_client(small_client).study().fingerprint
    text = small_client.read_text(encoding="utf-8")
    small_client.write_text(text + "negative_controls: [nps]\n", encoding="utf-8")
    assert kr.open_client(small_client).study().fingerprint != before
    assert main(["evidence", str(small_client), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows and all(row["placebo_p"] is None and row["kpi"] != "nps" for row in rows), (
        "four people: nothing is asked"
    )
    small_client.write_text(text + "negative_controls: [signed_contracts]\n", encoding="utf-8")
    assert main(["evidence", str(small_client), "--language", "en"]) == 2
    assert "'signed_contracts' is the outcome 'signed_amount' itself" in capsys.readouterr().err
