"""`diff`: what two runs left is compared, chance is asked only between periods, and what was not kept is not claimed."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from kpi_research.appraisal.score import SCORE_COLUMNS, TOTAL_COLUMNS
from kpi_research.cli import main
from kpi_research.errors import InputError
from kpi_research.kpis.catalogue import catalogue
from kpi_research.periods import Period
from kpi_research.run.comparing import HALF_WIDTHS, compare, folder_of
from kpi_research.run.definitions import definitions_of, fingerprint_of, is_same_scheme, kpis_that_differ
from kpi_research.run.settings import read_scheme

SCHEME = read_scheme("saas_2025").model_dump(mode="json")


def row(entity: str, kpi: str, actual: float, error: float | None = None, **more) -> dict:
    spread = None if error is None else HALF_WIDTHS * error
    ends = {"actual_low": actual - spread, "actual_high": actual + spread} if spread is not None else {}
    return dict.fromkeys(SCORE_COLUMNS) | {"entity_id": entity, "kpi": kpi, "actual": actual, **ends, **more}


def total(entity: str, score: float, error: float) -> dict:
    ends = {"score_low": score - HALF_WIDTHS * error, "score_high": score + HALF_WIDTHS * error}
    return dict.fromkeys(TOTAL_COLUMNS) | {"entity_id": entity, "score": score, **ends}


def write_run(folder: Path, **changes) -> Path:
    """What a run leaves, as far as `diff` reads it."""
    parts = {
        "period": "2026Q1",
        "rows": [row("T1", "visits", 40.0, 3.0, weight=20.0, target=50.0)],
        "people": [row("P1", "visits", 12.0, weight=20.0, target=10.0)],
        "totals": [total("T1", 80.0, 3.0)],
        "verdicts": [{"kpi": "visits", "code": "C", "gate": "q", "effect": 0.2}],
        "counts": [{"table": "contracts", "file": "c.csv", "read": 9, "left_out": 0, "rejected": 1, "kept": 8}],
        "scheme": "saas_2025",
        "kpis": {},
        "code": "a",
        "definitions": None,
        "client": "acme",
    } | copy.deepcopy(changes)
    facts = {"scores": {"rows": parts["rows"], "totals": parts["totals"]}, "people_detail": {"rows": parts["people"]}}
    pages = {
        "teams/T1/results.json": facts,
        "company/evidence.json": {"findings": {"verdicts": parts["verdicts"]}, "plan": {}},
    }
    for name, blocks in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"page": {}, "blocks": {block: {"facts": each} for block, each in blocks.items()}})
        (folder / name).write_text(text, encoding="utf-8")
    manifest = {
        "client": parts["client"],
        "period": parts["period"],
        "data_until": "2026-03-31",
        "parameters": {"scheme": parts["scheme"], "kpis": parts["kpis"]},
        "code": {"version": "0.1.0", "sha256": parts["code"]},
        "row_counts": parts["counts"],
        "jobs": [
            {"name": name, "level": "team" if "teams" in name else "company", "files": {name: "", "x.html": ""}}
            for name in pages
        ],
    } | ({"definitions": parts["definitions"]} if parts["definitions"] else {})
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@pytest.fixture
def compared(tmp_path):
    def made(before: dict, after: dict) -> dict:
        return compare(write_run(tmp_path / "a", **before), write_run(tmp_path / "b", **after))

    return made


def test_a_run_is_like_itself(compared):
    found = compared({}, {"totals": [total("T1", 80.0 * (1 + 1e-12), 3.0)]})
    assert found["is_same"] and found["same_period"]


@pytest.mark.parametrize(
    "moved_by, error, answer",
    [(9.0, 3.0, "beyond_chance"), (6.0, 3.0, "within_chance"), (-9.0, 3.0, "beyond_chance"), (9.0, None, "unknown")],
)
def test_chance_is_asked_between_periods(compared, moved_by, error, answer):
    # the difference of two figures with error 3 has error 4.24: at 90 % they may differ by 6.98
    now = row("T1", "visits", 40.0 + moved_by, error, weight=20.0, target=50.0)
    (figure,) = compared({}, {"period": "2026Q2", "rows": [now]})["figures"]
    assert (figure["before"], figure["after"], figure["moved"]) == (40.0, 40.0 + moved_by, answer)
    (figure,) = compared({}, {"rows": [now]})["figures"]
    assert figure["moved"] == "not_chance", "the same period twice: other data, not luck"


def test_totals_people_and_new_entities_are_compared(compared):
    found = compared(
        {},
        {
            "period": "2026Q2",
            "totals": [total("T1", 95.0, 3.0)],
            "people": [row("P1", "visits", 13.0, weight=20.0, target=10.0), row("P2", "visits", 1.0)],
        },
    )
    assert [(each["level"], each["entity"], each["kpi"], each["moved"]) for each in found["figures"]] == [
        ("person", "P1", "visits", "unknown"),
        ("person", "P2", "visits", "unknown"),
        ("team", "T1", "score", "beyond_chance"),
    ]


def test_weights_targets_verdicts_and_rows(compared):
    after = {
        "rows": [row("T1", "visits", 40.0, 3.0, weight=25.0, target=60.0)],
        "verdicts": [{"kpi": "visits", "code": "F", "gate": "mde", "effect": 0.0}],
        "counts": [{"table": "contracts", "file": "c.csv", "read": 9, "left_out": 0, "rejected": 0, "kept": 9}],
    }
    found = compared({}, after)
    named = {"level": "team", "entity": "T1", "kpi": "visits"}
    assert found["weights"] == [{**named, "before": 20.0, "after": 25.0}]
    assert found["targets"] == [{**named, "before": 50.0, "after": 60.0}]
    (verdict,) = found["verdicts"]
    assert (verdict["before"], verdict["gate_before"], verdict["after"], verdict["gate_after"]) == (
        "C",
        "q",
        "F",
        "mde",
    )
    assert [(each["what"], each["before"], each["after"]) for each in found["rows"]] == [
        ("kept", 8, 9), ("rejected", 1, 0),
    ]  # fmt: skip
    assert found["figures"] == []


def test_a_scheme_is_compared_item_by_item(compared):
    other = copy.deepcopy(SCHEME)
    other["items"][0]["cap"] = 1.5
    kpi = other["items"][0]["kpi"]
    found = compared({"scheme": SCHEME}, {"scheme": other})
    assert found["scheme"] == [{"part": f"items.{kpi}.cap", "before": SCHEME["items"][0]["cap"], "after": 1.5}]
    assert compared({"scheme": "service"}, {})["scheme"] == [{"part": "", "before": "service", "after": "saas_2025"}]
    kept = [{"scheme": each, "kpis": {}, "ibis": "12"} for each in (SCHEME, other)]
    assert len(compared({"definitions": kept[0]}, {"definitions": kept[1]})["scheme"]) == 1


def test_definitions_of_kpis(compared):
    own = {"kpis": {"mine": {"sum": "amount"}}}
    assert compared({}, own)["kpis"] == [{"kpi": "mine", "change": "added"}]
    assert compared(own, {"kpis": {"mine": {"sum": "cost"}}})["kpis"] == [{"kpi": "mine", "change": "changed"}]
    assert compared({}, {"code": "b"})["kpis"] == [{"kpi": "catalogue", "change": "perhaps"}]
    kept = [{"scheme": None, "kpis": {"visits": digest}, "ibis": "12"} for digest in ("1", "2")]
    known = compared({"definitions": kept[0]}, {"code": "b", "definitions": kept[1]})
    assert known["kpis"] == [{"kpi": "visits", "change": "changed"}]
    assert compared({"definitions": kept[0]}, {"code": "b", "definitions": kept[0]})["is_same"]


def test_fingerprints_tell_every_kpi_apart_and_stay():
    kpis = list(catalogue().values())[::6]
    prints = {kpi.name: fingerprint_of(kpi) for kpi in kpis}
    assert len(set(prints.values())) == len(kpis)
    assert {kpi.name: fingerprint_of(kpi) for kpi in reversed(kpis)} == prints
    visits = catalogue()["visits"]
    client = SimpleNamespace(
        scheme=None, versions=(), predictors=lambda: [visits], kpis=catalogue(),
        settings=SimpleNamespace(outcome="signed_amount", negative_controls=["nps"]),
    )  # fmt: skip
    made = definitions_of(client, Period.parse("2026Q1"))
    assert set(made["kpis"]) == {"visits", "signed_amount", "nps"} and kpis_that_differ(made, made) == []
    assert kpis_that_differ(made, {**made, "ibis": "0"}) is None


def test_a_scheme_that_a_new_version_asks_more_of_is_the_same_scheme():
    older = {key: value for key, value in SCHEME.items() if key not in ("rankings", "cycle", "adjustments")}
    assert is_same_scheme(older, SCHEME) and is_same_scheme(None, None)
    assert not is_same_scheme(SCHEME, None)
    assert not is_same_scheme({**SCHEME, "no_longer_known": 1}, SCHEME)


def test_what_is_no_run_or_of_another_client_is_refused(tmp_path, monkeypatch):
    one = write_run(tmp_path / "reports" / "acme" / "2026Q1")
    with pytest.raises(InputError) as caught:
        compare(tmp_path / "reports" / "acme" / "2026Q2", tmp_path)
    assert [problem.key for problem in caught.value.problems] == ["diff.no_run"] * 2
    assert "Did you mean 2026Q1?" in caught.value.text("en")
    with pytest.raises(InputError) as caught:
        compare(one, write_run(tmp_path / "other", client="other"))
    assert caught.value.problems[0].key == "diff.two_clients"
    monkeypatch.chdir(tmp_path)
    assert folder_of("acme/2026Q1") == Path("reports/acme/2026Q1")


@pytest.mark.parametrize("language, words", [("en", "may be chance"), ("zh", "可能只是偶然")])
def test_the_terminal_shows_it_as_text(tmp_path, capsys, language, words):
    name = "[red]T1[/]"
    before = write_run(tmp_path / "a", rows=[row(name, "visits", 40.0, 3.0, weight=20.0, target=50.0)])
    now = [row(name, "visits", 41.0, 3.0, weight=20.0, target=50.0)]
    after = write_run(tmp_path / "b", period="2026Q2", rows=now, code="b")
    assert main(["diff", str(before), str(after), "--language", language]) == 0
    said = capsys.readouterr().out
    assert words in said and name in said and "2026Q2" in said
    assert main(["diff", str(before), str(after), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"][0]["moved"] == "within_chance"
    assert main(["diff", str(before), str(before), "--language", language]) == 0
    assert main(["diff", str(before), str(tmp_path / "none"), "--language", language]) == 2
