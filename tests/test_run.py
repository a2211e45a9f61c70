"""A client's run as a user sees it: what is left on disk, what is skipped, what fails, and what stops it."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import small_tables, write_client

from kpi_research.cli import main
from kpi_research.run.reports import safe_names

ROOT = Path(__file__).parents[1]
PERIOD = "2026Q1"


def kpi_research(*words: object, language: str = "en") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kpi_research", *map(str, words), "--language", language]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=250)


def with_own_notebooks(client: Path) -> Path:
    """Give the client's project notebooks of its own, to be spoilt."""
    folder = client.parents[1] / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder)
    return folder


def add_cell(notebook: Path, source: str, place: int) -> None:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    cell = {
        "cell_type": "code",
        "id": "extra",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": source,
    }
    content["cells"].insert(place, cell)
    notebook.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The small client, run once: its file, the folder of the period, and what the command said."""
    client = write_client(tmp_path_factory.mktemp("small"), small_tables())
    done = kpi_research("run", client, "--jobs", 2)
    return client, client.parents[1] / "reports" / "small" / PERIOD, done


def test_a_run_leaves_what_the_contract_says(ran):
    _, out, done = ran
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out / "index.html")
    assert "3 made, 0 unchanged, 0 failed" in done.stderr
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    hostile = safe_names(["T01", "../../x", "T03"])["../../x"]
    for folder in ("teams/T01", f"teams/{hostile}"):
        assert {f"{folder}/appraisal.html", f"{folder}/appraisal.ipynb", f"{folder}/results.json"} <= files
    assert {"company/evidence.html", "company/evidence.json", "index.html", "manifest.json"} <= files
    assert not [name for name in files if name.endswith(".part") or "/." in name]


def test_nothing_is_written_outside(ran):
    client, _, _ = ran
    project = client.parents[1]
    assert {path.name for path in project.iterdir()} == {"params", "data", "reports"}
    assert {path.name for path in project.parent.iterdir() if path.name.startswith("x")} == set()


def test_a_teams_files_hold_nothing_of_another(ran):
    client, out, _ = ran
    for path in (out / "teams" / "T01").iterdir():
        text = path.read_text(encoding="utf-8")
        for foreign in ("单人组", "P3", "大客户", "alert(1)", "空组", str(client.parents[1]), str(ROOT)):
            assert foreign not in text, (path.name, foreign)
    assert "王芳" in (out / "teams" / "T01" / "appraisal.html").read_text(encoding="utf-8")


def test_hostile_names_are_text(ran):
    _, out, _ = ran
    for path in out.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "<script>alert" not in text and 'x" <b>' not in text, path.name
    page = (out / "company" / "evidence.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page, "the person of that name is on the analyst's page, as text"


def test_the_manifest_tells_from_what(ran):
    client, out, _ = ran
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["inputs"]) == {f"data/{path.name}" for path in (client.parent / "data").iterdir()}
    assert {entry["status"] for entry in manifest["jobs"]} == {"done"} and len(manifest["jobs"]) == 4
    assert manifest["data_until"] == "2026-03-31" and manifest["packages"]["pandas"]
    assert str(ROOT) not in json.dumps(manifest) and str(client.parents[1]) not in json.dumps(manifest)


def test_every_number_shown_is_in_the_json(ran):
    _, out, _ = ran
    results = json.loads((out / "teams" / "T01" / "results.json").read_text(encoding="utf-8"))["blocks"]
    page = (out / "teams" / "T01" / "appraisal.html").read_text(encoding="utf-8")
    assert results["headline"]["callout"]["figure"] in page
    for row in results["scores"]["table"]["shown"]:
        assert row[0] in page


def test_running_again_makes_only_what_changed(ran):
    client, out, _ = ran
    page = out / "teams" / "T01" / "appraisal.html"
    before = page.read_bytes()
    assert "0 made, 3 unchanged" in kpi_research("run", client).stderr
    page.write_text("spoilt", encoding="utf-8")
    assert "1 made, 2 unchanged" in kpi_research("run", client).stderr
    assert page.read_bytes() == before, "the same inputs give the same bytes"


def test_another_folder_gets_the_same_bytes(ran, tmp_path):
    client, out, _ = ran
    assert kpi_research("run", client, "--out", tmp_path, "--jobs", 1).returncode == 0
    other = tmp_path / "small" / PERIOD
    for path in (path for path in out.rglob("*") if path.is_file() and path.parent.name != "logs"):
        assert path.read_bytes() == (other / path.relative_to(out)).read_bytes(), path.name


@pytest.fixture
def own(tmp_path):
    client = write_client(tmp_path, small_tables(), language="en")
    return client, with_own_notebooks(client)


def test_a_cell_that_raises_fails_one_report_and_says_where(own):
    client, notebooks = own
    add_cell(notebooks / "appraisal.ipynb", "if team == 'T01':\n    raise ValueError('<b>no such thing</b>')", 4)
    done = kpi_research("run", client, "--jobs", 2)
    out = client.parents[1] / "reports" / "small" / PERIOD
    assert done.returncode == 1 and "2 made, 0 unchanged, 1 failed" in done.stderr
    assert "teams/T01/appraisal" in done.stderr and "no such thing" in done.stderr and "Traceback" not in done.stderr
    page = (out / "teams" / "T01" / "appraisal.html").read_text(encoding="utf-8")
    assert "This page is incomplete" in page and "<b>no such thing</b>" not in page
    assert "no such thing" in (out / "index.html").read_text(encoding="utf-8")
    entry = next(e for e in json.loads((out / "manifest.json").read_text())["jobs"] if "T01" in e["name"])
    assert entry["status"] == "failed" and entry["error"]["kind"] == "cell"
    assert "1 failed" in kpi_research("run", client, "--team", "T01").stderr, "what failed is tried again"


def test_a_parameter_that_the_notebook_lacks_stops_the_run_before_it_starts(own):
    client, notebooks = own
    path = notebooks / "appraisal.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace('team = \\"\\"', 'taem = \\"\\"'), encoding="utf-8")
    done = kpi_research("run", client)
    assert done.returncode == 2 and "declares no parameter team" in done.stderr and "Did you mean taem?" in done.stderr
    assert kpi_research("check", client).returncode == 2
    assert not (client.parents[1] / "reports").exists()


def test_ctrl_c_in_the_middle_and_running_again(own):
    client, notebooks = own
    add_cell(notebooks / "appraisal.ipynb", "import time\nif team != 'T01':\n    time.sleep(60)", 3)
    command = [sys.executable, "-m", "kpi_research", "run", str(client), "--jobs", "2", "--language", "en"]
    out = client.parents[1] / "reports" / "small" / PERIOD
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not (out / "manifest.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        while len(json.loads((out / "manifest.json").read_text())["jobs"]) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Interrupted" in said and "Traceback" not in said
    assert not list(out.rglob("*.part"))
    shutil.rmtree(notebooks)
    assert kpi_research("run", client).returncode == 0
    jobs = json.loads((out / "manifest.json").read_text())["jobs"]
    assert {entry["status"] for entry in jobs} == {"done"} and len(jobs) == 4


def spoilt(tmp_path: Path, *, without: tuple[str, ...] = (), **changed: str) -> Path:
    """The small client with some files missing or changed."""
    tables = {name: text for name, text in small_tables().items() if name not in without}
    return write_client(tmp_path, tables | {f"{name}.csv": text for name, text in changed.items()})


def headers_only() -> dict[str, str]:
    return {name.removesuffix(".csv"): text.splitlines()[0] + "\n" for name, text in small_tables().items()}


@pytest.mark.parametrize("command", ["check", "run"])
def test_tables_without_rows_are_said_to_be_empty(tmp_path, capsys, command):
    assert main([command, str(spoilt(tmp_path, **headers_only())), "--language", "en"]) == 2
    assert "no signing, closing, payment or activity" in capsys.readouterr().err


def test_without_assignments_there_are_company_pages_and_a_note(tmp_path):
    done = kpi_research("run", spoilt(tmp_path, without=("assignments.csv",)), "--jobs", 1)
    assert done.returncode == 0 and "1 made" in done.stderr and "no team reports" in done.stderr


def test_without_a_list_of_people_those_who_did_something_are_the_people(tmp_path, capsys):
    client = spoilt(tmp_path, without=("people.csv",))
    assert main(["check", str(client), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reports"][0].startswith("teams/")


def test_a_folder_that_cannot_be_written_is_named(small_client, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert main(["run", str(small_client), "--out", str(tmp_path / "file"), "--language", "en"]) == 2
    assert "Cannot read or write" in capsys.readouterr().err


WRONG = {
    "a missing file": (["run", "nowhere.yaml"], "nowhere.yaml"),
    "an unknown period": (["run", "CLIENT", "--period", "2031Q1"], "2026Q1"),
    "a mistyped period": (["run", "CLIENT", "--period", "Q1"], "2026Q3"),
    "an unknown team": (["run", "CLIENT", "--team", "T1"], "Did you mean T01?"),
    "an unknown notebook": (["run", "CLIENT", "--notebook", "apraisal"], "Did you mean appraisal?"),
}


@pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_explained(small_client, capsys, arguments, said):
    words = [str(small_client) if word == "CLIENT" else word for word in arguments]
    assert main([*words, "--language", "en"]) == 2
    captured = capsys.readouterr()
    assert said in captured.err and "Traceback" not in captured.err and captured.out == ""
    assert not (small_client.parents[1] / "reports").exists()


def test_check_counts_what_is_turned_away(tmp_path, capsys):
    tables = small_tables()
    tables["contracts.csv"] += "K-bad,A1,P1,not a day,5,new,\nK-orphan,A9,P9,2026-03-01,5,new,\n"
    client = write_client(tmp_path, tables)
    assert main(["check", str(client), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rules = {(row["rule"], row["severity"]): (row["rows"], row["first_row"], row["value"]) for row in found["rules"]}
    assert rules["not_a_date", "reject"] == (1, 47, "not a day")
    assert rules["not_in_people", "count"] == (1, 48, "P9")
    assert main(["check", str(client), "--language", "zh"]) == 0
    assert "无法识别的日期" in capsys.readouterr().out


def test_a_client_without_targets_scheme_or_activities_still_has_its_pages(tmp_path):
    tables = small_tables()
    for name in ("targets.csv", "activities.csv", "surveys.csv"):
        del tables[name]
    client = write_client(tmp_path, tables, language="en")
    text = client.read_text(encoding="utf-8").replace("scheme: saas_2025\n", "until: 2026-03-31\n")
    client.write_text(text, encoding="utf-8")
    done = kpi_research("run", client, "--team", "T01")
    assert done.returncode == 0, done.stderr
    page = (client.parents[1] / "reports" / "small" / PERIOD / "teams" / "T01" / "appraisal.html").read_text(
        encoding="utf-8"
    )
    assert "nothing is scored" in page and "activities" in page


@pytest.mark.parametrize(
    "ids", [["T01", "t01"], ["../../x", "..-..-x"], ["CON", "a" * 80], ["组一", "组二"], ["", " "]]
)
def test_folder_names_are_safe_and_differ(ids):
    names = safe_names(ids)
    assert len({name.casefold() for name in names.values()}) == len(ids)
    assert all(
        name and set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
        for name in names.values()
    )
    assert all(len(name) <= 40 and name.casefold() != "con" for name in names.values())
