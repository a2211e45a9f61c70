"""Several clients' runs taken together: only what is alike, and every reason why not."""

import json
from pathlib import Path

import pytest

from kpi_research.cli import main
from kpi_research.run.pooling import pool_runs

VISITS = {
    "kpi": "visits",
    "outcome": "signed_amount",
    "code": "B",
    "effect_unit": "within_sd",
    "alias_of": "",
    "n_people": 40,
    "lags": 3,
}


def run_of(folder: Path, client: str, rows: list[dict], *, definitions: dict | None = None) -> str:
    """What a run leaves, as far as it is read."""
    place = folder / client / "2026Q3"
    (place / "company").mkdir(parents=True)
    manifest = {
        "client": client, "period": "2026Q3", "parameters": {}, "code": {}, "row_counts": [],
        "definitions": {"kpis": {"visits": "v1", "signed_amount": "a1", **(definitions or {})}, "ibis": "12"},
        "jobs": [{"name": "company/evidence", "level": "company", "files": ["company/evidence.json"]}],
    }  # fmt: skip
    page = {"blocks": {"findings": {"facts": {"verdicts": rows}}} if rows else {}}
    (place / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (place / "company" / "evidence.json").write_text(json.dumps(page), encoding="utf-8")
    return str(place)


def visits(effect: float, half: float = 0.1, **other) -> dict:
    return {**VISITS, "effect": effect, "ci_low": effect - half, "ci_high": effect + half, **other}


def test_alike_studies_are_taken_together(tmp_path, capsys):
    runs = [run_of(tmp_path, name, [visits(effect)]) for name, effect in (("a", 0.1), ("b", 0.2), ("c", 0.3))]
    (found,) = pool_runs(runs)
    assert found.clients == (("a", "B"), ("b", "B"), ("c", "B")) and found.pooled.k == 3
    assert found.pooled.mean == pytest.approx(0.2) and found.pooled.predict_low < found.pooled.low < 0.2
    assert main(["pool", *runs, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["mean"] == pytest.approx(0.2) and row["clients"] == [["a", "B"], ["b", "B"], ["c", "B"]]


@pytest.mark.parametrize(("language", "words"), [("zh", "只有一个客户可用"), ("en", "only one client has it")])
def test_what_is_not_alike_is_not(tmp_path, capsys, monkeypatch, language, words):
    monkeypatch.setenv("COLUMNS", "200")
    runs = [
        run_of(tmp_path, "a", [visits(0.1)]),
        run_of(tmp_path, "b", [visits(0.2)], definitions={"visits": "v2"}),
        run_of(tmp_path, "c", [visits(0.3, effect_unit="share")]),
        run_of(tmp_path, "d", [visits(0.3, code="H")]),
        run_of(tmp_path, "e", [{**visits(0.3), "effect": None}]),
    ]
    assert [each.pooled for each in pool_runs(runs)] == [None, None, None]
    assert main(["pool", *runs, "--language", language]) == 0
    shown = capsys.readouterr().out
    assert words in shown and "v2" not in shown


def test_shares_are_pooled_as_logarithms(tmp_path):
    rows = [visits(0.5, effect_unit="share"), visits(-1 / 3, effect_unit="share")]
    (found,) = pool_runs([run_of(tmp_path, name, [row]) for name, row in zip("ab", rows, strict=True)])
    assert found.pooled.low > -1, "nothing falls by more than all of it"


def test_everything_wrong_is_said_at_once(tmp_path, capsys):
    one, other = run_of(tmp_path, "a", [visits(0.1)]), run_of(tmp_path / "again", "a", [visits(0.1)])
    assert main(["pool", one, other, "--language", "en"]) == 2
    assert "one client only" in capsys.readouterr().err
    empty = run_of(tmp_path, "b", [])
    assert main(["pool", one, other, empty, "--language", "en"]) == 2
    said = capsys.readouterr().err
    assert "more than once" in said and "no evidence report" in said
    assert main(["pool", one, str(tmp_path / "nowhere"), "--language", "en"]) == 2


def test_other_lags_and_intervals_without_an_end_are_left_alone(tmp_path):
    share = {"effect_unit": "share"}
    rows = [
        visits(0.1), visits(0.2, lags=1), visits(0.3, **share) | {"ci_low": -1.0}, visits(0.3, **share) | {"ci_high": 999.0},
        visits(0.2, half=0.0),
    ]  # fmt: skip
    found = pool_runs([run_of(tmp_path, name, [row]) for name, row in zip("abcde", rows, strict=True)])
    assert [(each.unit, each.clients, each.pooled) for each in found] == [
        ("within_sd", (("b", "B"),), None), ("within_sd", (("a", "B"),), None)
    ]  # fmt: skip
