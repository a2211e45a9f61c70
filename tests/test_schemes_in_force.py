"""Several schemes in a client file: who is scored by which one, since when, and what is refused before anything runs."""

import pytest
from conftest import small_tables, write_client

from kpi_research import open_client
from kpi_research.errors import InputError
from kpi_research.run.forms import has_forms, signed_forms
from kpi_research.run.scheme_choice import scheme_of

OWN = "{{name: {name}, label: {{zh: 甲, en: A}}, items: [{{kpi: signed_amount, weight: {amount}}}, {{kpi: nps, weight: {nps}}}]}}"
SCHEMES = f"""\
schemes:
  - scheme: {OWN.format(name="all", amount=70, nps=30)}
    effective_from: 2025-01-01
  - scheme: {OWN.format(name="newcomers", amount=60, nps=40)}
    effective_from: 2025-01-01
    applies_to: {{role: 新人}}
  - scheme: {OWN.format(name="all_2026", amount=80, nps=20)}
    effective_from: 2026-01-01
    reason: 老客户占比上升
    approved_by: 王总
    approved_at: 2025-12-20T10:00
    announced_on: 2025-12-22
"""


def client_with(folder, schemes=SCHEMES):
    tables = small_tables()
    tables["people.csv"] = (
        "person_id,name,role,hired_on,left_on\nP1,王芳,销售,2024-01-01,\nP2,李雷,新人,2024-01-01,\nP3,钱七,销售,2024-01-01,\n"
    )
    path = write_client(folder, tables)
    path.write_text(path.read_text(encoding="utf-8").replace("scheme: saas_2025\n", schemes), encoding="utf-8")
    return path


def test_everybody_is_scored_by_the_scheme_that_holds_for_them(tmp_path):
    client = open_client(client_with(tmp_path))
    for period, names in (
        ("2025Q4", {"P1": "all", "P2": "newcomers"}),
        ("2026Q1", {"P1": "all_2026", "P2": "newcomers"}),
    ):
        known = client.known_period(period)
        assert {person: scheme_of(client, known, person=person).name for person in names} == names
    weights = client.score(period="2026Q1").rows.set_index(["entity_id", "kpi"])["weight"]
    assert (weights["P1", "nps"], weights["P2", "nps"], weights["P3", "nps"]) == (20, 40, 20)


def test_people_with_different_schemes_are_not_put_in_order(tmp_path):
    found = open_client(client_with(tmp_path)).score(period="2026Q1")
    assert found.likeness.reason == "nothing_in_common" and not found.likeness.distinguishable
    assert found.totals["entity_id"].tolist() == ["P1", "P2", "P3"] and set(found.draws) == {"P1", "P2", "P3"}
    alone = open_client(tmp_path / "params" / "small.yaml").score(period="2026Q1", entities=["P2"])
    assert alone.totals["score"].item() == found.totals.set_index("entity_id").loc["P2", "score"]


def test_a_team_has_the_scheme_of_all(tmp_path):
    client = open_client(client_with(tmp_path))
    assert scheme_of(client, client.known_period("2026Q1"), team="T01").name == "all_2026"
    assert client.score(period="2026Q1", level="team").rows["weight"].unique().tolist() == [80, 20]


def test_before_the_first_scheme_nothing_is_scored(tmp_path):
    client = open_client(client_with(tmp_path, SCHEMES.replace("2025-01-01", "2025-10-01")))
    assert scheme_of(client, client.known_period("2025Q2")) is None
    with pytest.raises(InputError):
        client.score(period="2025Q2")


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("2026-01-01", "2026-02-01", {"scheme_version.inside_cycle"}),
        ("    reason: 老客户占比上升\n", "", {"scheme_version.no_reason"}),
        ("    approved_by: 王总\n", "", {"scheme_version.not_approved"}),
        ("schemes:\n", "scheme: saas_2025\nschemes:\n", {"settings.wrong_value"}),
        ("kpi: nps", "kpi: nsp", {"kpi.unknown"}),
    ],
)
def test_a_change_against_the_clients_own_rules_stops_before_anything_runs(tmp_path, old, new, keys):
    with pytest.raises(InputError) as refused:
        open_client(client_with(tmp_path, SCHEMES.replace(old, new)))
    assert {problem.key for problem in refused.value.problems} == keys


def test_the_form_shows_everybody_their_own_scheme(tmp_path):
    client = open_client(client_with(tmp_path))
    period = client.known_period("2026Q1")
    assert has_forms(client, period)
    weights = {
        each.form.person_id: [one.item.weight for one in each.form.items] for each in signed_forms(client, period, "en")
    }
    assert weights == {"P1": [80, 20], "P2": [60, 40], "P3": [80, 20]}
