"""What a scorecard says of luck, of the most and least an item gives, and of how many cases are enough."""

import dataclasses

import numpy as np
import pytest
from test_forms_scorecard import own_client, page_of

from kpi_research.appraisal.ranking import Homogeneity
from kpi_research.appraisal.reliability import measured, reliability
from kpi_research.appraisal.scheme import Scheme, SchemeItem
from kpi_research.appraisal.score import Score
from kpi_research.language import LANGUAGES, say
from kpi_research.report.page import build, sections
from kpi_research.run import pages
from kpi_research.run.client import open_client
from kpi_research.run.person_scores import no_luck_in, own_score, person_scores


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setattr(pages, "study_of", lambda *_: None)
    yield open_client(own_client(tmp_path_factory.mktemp("words")))
    patch.undo()


def with_totals(page, now: float, before: float, se: float = 5.0, no_luck: float = 0.62):
    """The page with these totals in place of its own."""

    def changed(score: Score, value: float) -> Score:
        return dataclasses.replace(score, totals=score.totals.assign(score=value, score_se=se), no_luck=no_luck)

    return dataclasses.replace(
        page, score=changed(page.score, now), previous_score=changed(page.previous_score, before)
    )


def notes(page) -> str:
    (block,) = build(sections()["scorecard_headline"], page)
    return " ".join(block.notes)


def test_after_a_quarter_far_from_the_one_before_the_next_is_said_to_be_nearer_to_usual(client):
    page = page_of(client, "P1", "en")
    up, down = notes(with_totals(page, 118, 90)), notes(with_totals(page, 60, 90))
    assert "very high quarter is usually luck" in up and "about 4 parts in ten or more" in up
    assert "very low quarter is usually bad luck" in down and "not all owed to what was done" in down


@pytest.mark.parametrize(("now", "before", "se"), [(101, 90, 5), (118, 90, np.nan), (90, 90, 5), (118, np.nan, 5)])
def test_of_a_move_that_chance_makes_too_nothing_is_said(client, now, before, se):
    assert "luck" not in notes(with_totals(page_of(client, "P1", "en"), now, before, se))


def test_where_the_share_of_luck_is_not_known_no_number_is_given(client):
    said = notes(with_totals(page_of(client, "P1", "en"), 118, 90, no_luck=np.nan))
    assert "nearer to your usual level" in said and "parts in ten" not in said


def test_the_share_of_luck_is_that_of_all_people_and_unknown_of_few(client):
    quarter = client.periods("quarter")[-1]
    assert np.isnan(own_score(client, quarter, "P1").no_luck), "three people are too few"
    rng = np.random.default_rng(3)
    people = [f"P{n}" for n in range(30)]
    draws = {name: rng.normal(80 + n, 4, size=200) for n, name in enumerate(people)}
    frame = person_scores(client, quarter).totals.iloc[:1]
    totals = frame.loc[frame.index.repeat(30)].assign(
        entity_id=people, score=[float(draws[name].mean()) for name in people], score_se=4.0
    )
    apart = Homogeneity(0.01, 30, 1.0, 30, "")
    made = Score(person_scores(client, quarter).rows, totals.reset_index(drop=True), likeness=apart, draws=draws)
    found = no_luck_in(made, quarter)
    assert found == pytest.approx(reliability(measured(made, 13)).share, abs=0.02) and 0.6 < found < 1
    mixed = dataclasses.replace(made, likeness=Homogeneity(np.nan, 0, np.nan, 30, "nothing_in_common"))
    assert no_luck_in(mixed, quarter) is None


def reasons(page) -> dict[str, str]:
    (block,) = [block for block in build(sections()["score_reason"], page) if block.name == "score_reason"]
    return dict(zip(block.table.frame["label"], block.table.frame["reason"]))


RULES = [
    ({}, "at most 120% of its weight and at least 0%"),
    ({"cap": 1.5, "floor": 0.5}, "at most 150% of its weight and at least 50%"),
    ({"cap": 1.0, "zero_below": 0.6, "floor": 0.3}, "at most 100% of its weight and at least 0%"),
    ({"steps": [{"at_least": 0.6, "share": 0.4}, {"at_least": 1.0, "share": 1.1}]}, "at most 110% of its weight and at least 0%"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "expected"), RULES)
def test_every_items_explanation_states_the_most_and_the_least(client, rule, expected):
    page = page_of(client, "P1", "en")
    items = tuple(
        SchemeItem.model_validate({**item.model_dump(), **rule}) if item.kpi == "signed_amount" else item
        for item in page.scheme.items
    )
    scheme = Scheme.model_validate(page.scheme.model_copy(update={"items": items}).model_dump())
    assert expected in reasons(dataclasses.replace(page, scheme=scheme))["Signed amount"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_too_few_cases_it_is_said_how_many_there_were_and_how_many_are_enough(client, language):
    page = page_of(client, "P1", language)
    found = reasons(page)[client.kpis["peer_rating"].label[language]]
    row = page.score.rows.set_index("kpi").loc["peer_rating"]
    assert row["status"] == "too_few" and row["n"] == 3
    assert say("scorecard.enough", language, count=3, least=5) in found
    rows = page.score.rows.assign(status=page.score.rows["status"].replace("too_few", "not_kept"))
    other = dataclasses.replace(page, score=dataclasses.replace(page.score, rows=rows))
    told = reasons(other)[client.kpis["peer_rating"].label[language]]
    assert say("status_reason.not_kept", language) in told and "5" not in told
