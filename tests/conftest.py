"""A small client that several tests read: four people in two teams over five quarters, written as canonical CSV."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAVEN = ROOT.parent / "shared" / "data" / "maven_crm"

CLIENT_FILE = """\
client: small
title: {{zh: 小公司, en: Small company}}
language: {language}
source: {{kind: canonical, path: data}}
scheme: saas_2025
predictors: [visits, calls, signed_contracts]
reports:
  - {{notebook: appraisal, per: team, every: quarter, audience: manager}}
  - {{notebook: evidence, per: company, every: quarter, audience: analyst}}
"""

TABLES = {
    "people.csv": """person_id,name,hired_on,left_on
P1,王芳,2024-01-01,
P2,李雷,2024-01-01,
P3,<script>alert(1)</script>,2024-01-01,
P4,赵敏,2025-02-10,2025-05-20
""",
    "teams.csv": """team_id,name
T01,华东一组
../../x,"单人组 ""x"" <b>"
T03,空组
""",
    "assignments.csv": """person_id,team_id,since,until
P1,T01,2024-01-01,
P2,T01,2024-01-01,
P3,../../x,2024-01-01,
P4,T01,2025-02-10,2025-05-20
""",
    "accounts.csv": """account_id,name,owner_id
A1,<script>alert(1)</script>,P1
A2,普通客户,P2
A3,大客户,P3
""",
}


def small_tables() -> dict[str, str]:
    """The small client's files: contracts and activities of every month of 2025 Q1 to 2026 Q1 for each person."""
    months = [f"{2025 + month // 12}-{month % 12 + 1:02d}" for month in range(15)]
    contracts = ["contract_id,account_id,owner_id,signed_at,amount,kind,ends_on"]
    activities = ["activity_id,person_id,kind,account_id,occurred_at,recorded_at"]
    opportunities = ["opportunity_id,account_id,owner_id,product,amount,created_at,stage,closed_at,outcome"]
    surveys = ["survey_id,kind,account_id,subject_id,rater_id,score,scale_min,scale_max,answered_at"]
    targets = ["scope,scope_id,kpi,period,base,version"]
    for number, month in enumerate(months):
        for person, account in (("P1", "A1"), ("P2", "A2"), ("P3", "A3")):
            tag = f"{person}-{month}"
            amount = 10_000 + 1_000 * ((number * 7 + int(person[1]) * 3) % 5)
            contracts.append(f"K-{tag},{account},{person},{month}-15 10:00,{amount},new,{month}-28")
            for day in range(1, 4 + (number + int(person[1])) % 3):
                activities.append(
                    f"V-{tag}-{day},{person},visit,{account},{month}-{day:02d} 09:30,{month}-{day:02d} 20:00"
                )
                activities.append(
                    f"C-{tag}-{day},{person},call,{account},{month}-{day:02d} 15:30,{month}-{day:02d} 20:00"
                )
            outcome = "won" if (number + int(person[1])) % 3 else "lost"
            opportunities.append(f"O-{tag},{account},{person},X,{amount},{month}-02,报价,{month}-15,{outcome}")
            surveys.append(f"S-{tag},nps,{account},,,{8 + number % 3},0,10,{month}-20")
            surveys.append(f"R-{tag},peer,,{person},P9,{7 + number % 3},1,10,{month}-21")
    for quarter in ("2025Q1", "2025Q2", "2025Q3", "2025Q4", "2026Q1"):
        for scope, ids in (("team", ["T01", "../../x"]), ("person", ["P1", "P2", "P3"]), ("company", ["company"])):
            for scope_id in ids:
                for kpi, base in (
                    ("signed_amount", 40_000),
                    ("nps", 40),
                    ("crm_completeness", 0.9),
                    ("peer_rating", 80),
                ):
                    targets.append(f"{scope},{scope_id},{kpi},{quarter},{base},1")
    made = {
        "contracts.csv": contracts,
        "activities.csv": activities,
        "opportunities.csv": opportunities,
        "surveys.csv": surveys,
        "targets.csv": targets,
    }
    last = "C-last,P1,call,A1,2026-03-31 09:00,2026-03-31 20:00"
    activities.append(last)
    return TABLES | {name: "\n".join(lines) + "\n" for name, lines in made.items()}


def write_client(folder: Path, tables: dict[str, str], language: str = "zh") -> Path:
    """Write a client file and its tables; the path of the client file."""
    (folder / "params" / "data").mkdir(parents=True)
    for name, text in tables.items():
        (folder / "params" / "data" / name).write_text(text, encoding="utf-8")
    path = folder / "params" / "small.yaml"
    path.write_text(CLIENT_FILE.format(language=language), encoding="utf-8")
    return path


@pytest.fixture
def small_client(tmp_path: Path) -> Path:
    """Path of the small client's file."""
    return write_client(tmp_path, small_tables())


@pytest.fixture(scope="session")
def maven_folder() -> Path:
    """The Maven files; a test that needs them is skipped where they are not."""
    folder = Path(os.environ.get("KPI_MAVEN_CRM", MAVEN))
    if not folder.is_dir():
        pytest.skip(f"the Maven CRM files are not there; set KPI_MAVEN_CRM to their folder (looked in {folder.name})")
    return folder


@pytest.fixture(scope="session", autouse=True)
def built_once(tmp_path_factory):
    """The same rows under the same client file are read and computed once a session; later they are copied.

    Databases are read each time: nothing says beforehand what is in them.
    """
    import shutil

    from kpi_research.run import store

    build, kept = store._build, {}

    def copied(settings, base, home, inputs, progress=None):
        if store.reads_database(settings.source):
            return build(settings, base, home, inputs, progress)
        name = store.fingerprint(settings, inputs)
        if name not in kept:
            made = build(settings, base, home, inputs, progress)
            kept[name] = tmp_path_factory.mktemp("built") / name
            shutil.copytree(made, kept[name])
            return made
        return shutil.copytree(kept[name], home / name, dirs_exist_ok=True)

    store._build = copied
    yield
    store._build = build
