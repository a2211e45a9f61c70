"""Which scheme holds for whom, and which changes are refused."""

import datetime as dt
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpi_research.appraisal.scheme import Scheme
from kpi_research.appraisal.versions import AppliesTo, SchemeVersion, Window, changes, in_force
from kpi_research.errors import InputError
from kpi_research.language import LANGUAGES
from kpi_research.periods import Period

TOLD = {"reason": "new market", "approved_by": "HR", "approved_at": "2025-12-20 10:00", "announced_on": "2025-12-22"}
HALF_YEARLY = Window(months=(1, 7), days=15, months_apart=6)
Q1 = Period.parse("2026Q1")


def scheme(name: str, visits: float = 20) -> Scheme:
    items = [{"kpi": "signed_amount", "weight": 100 - visits}, {"kpi": "visits", "weight": visits}]
    return Scheme.model_validate({"name": name, "label": {"zh": "方案", "en": "Scheme"}, "items": items})


def version(name: str, day: str, visits: float = 20, **more) -> SchemeVersion:
    return SchemeVersion.model_validate({"scheme": scheme(name, visits), "effective_from": day, **more})


FIRST = version("first", "2025-01-01")


def test_the_narrowest_holds_and_of_several_the_latest():
    versions = [
        FIRST,
        version("second", "2026-01-01"),
        version("reps", "2025-01-01", applies_to={"role": "rep"}),
        version("reps_east", "2025-01-01", applies_to={"role": "rep", "region": "east"}),
        version("later", "2026-04-01", applies_to={"role": "rep"}),
        version("team", "2025-01-01", applies_to={"role": "manager", "teams": ["T1", "T2"]}),
    ]

    def held(period: str, **person: str) -> str:
        return in_force(versions, Period.parse(period), person).scheme.name

    assert held("2025Q4", role="assistant") == "first"
    assert held("2026Q1", role="assistant") == "second"
    assert held("2026Q1", role="rep", region="west") == "reps"
    assert held("2026Q1", role="rep", region="east") == "reps_east"
    assert held("2026Q2", role="rep", region="west") == "later"
    assert held("2026Q1", role="manager", team_id="T2") == "team"
    assert held("2026Q1", role="manager", team_id="T9") == "second"


def test_two_people_of_one_team_may_have_different_schemes():
    versions = [version("new", "2025-01-01", applies_to={"level": "junior"}), FIRST]
    names = [in_force(versions, Q1, {"team_id": "T1", "level": level}).scheme.name for level in ("junior", "senior")]
    assert names == ["new", "first"]


def test_two_that_ask_for_equally_much_are_both_named():
    versions = [
        version("by_role", "2025-01-01", applies_to={"role": "rep"}),
        version("by_region", "2025-07-01", applies_to={"region": "east"}),
    ]
    with pytest.raises(InputError) as caught:
        in_force(versions, Q1, {"role": "rep", "region": "east"})
    for language in LANGUAGES:
        assert "by_role (2025-01-01)" in caught.value.text(language)
        assert "by_region (2025-07-01)" in caught.value.text(language)


def test_nobody_is_without_a_scheme_in_silence():
    with pytest.raises(InputError, match="2024Q4"):
        in_force([FIRST], Period.parse("2024Q4"), {"role": "rep"})


def test_seasons_hold_for_periods_that_lie_in_them():
    versions = [FIRST, version("low", "2025-01-01", applies_to={"season": [1, 2, 3]})]
    assert [in_force(versions, Period.parse(f"2025Q{n}"), {}).scheme.name for n in (1, 2)] == ["low", "first"]
    assert in_force(versions, Period.parse("2025"), {}).scheme.name == "first"


def test_what_begins_in_the_windows_days_holds_for_the_whole_cycle():
    versions = [FIRST, version("second", "2026-01-12")]
    assert in_force(versions, Q1, {}, window=HALF_YEARLY).scheme.name == "second"
    assert in_force(versions, Q1, {}).scheme.name == "first"


@settings(max_examples=80, deadline=None)
@given(
    asked=st.lists(
        st.tuples(
            st.sampled_from(["", "a", "b"]), st.sampled_from(["", "a", "b"]), st.sampled_from([2024, 2025, 2027])
        ),
        min_size=1,
        max_size=6,
    ),
    role=st.sampled_from(["a", "b", "c"]),
    region=st.sampled_from(["a", "b", "c"]),
)
def test_in_force_agrees_with_trying_every_version(asked, role, region):
    """A version holds if no other that fits is narrower, or as narrow for the same people and later."""
    versions = [
        version(f"v{n}", f"{year}-01-01", applies_to={"role": r, "region": g}) for n, (r, g, year) in enumerate(asked)
    ]
    fitting = [
        (n, sum(1 for each in (r, g) if each), (r, g), year)
        for n, (r, g, year) in enumerate(asked)
        if r in ("", role) and g in ("", region) and year <= 2026
    ]
    best = [one for one in fitting if one[1] == max(each[1] for each in fitting)]
    groups = {one[2] for one in best}
    person = {"role": role, "region": region}
    if len(groups) != 1:
        with pytest.raises(InputError):
            in_force(versions, Q1, person)
        return
    held = in_force(versions, Q1, person)
    assert held.effective_from.year == max(one[3] for one in best)
    assert (held.applies_to.role, held.applies_to.region) == best[0][2]


def test_a_change_by_the_rules_is_told_with_its_weights():
    (change,) = changes([FIRST, version("second", "2026-01-01", 30, **TOLD)], HALF_YEARLY, "quarter")
    assert dict(change.weights) == {"signed_amount": (80, 70), "visits": (20, 30)}
    assert (change.before.scheme.name, change.after.reason) == ("first", "new market")
    assert change.after.approved_at == dt.datetime(2025, 12, 20, 10)


SUMMER = {"approved_at": "2026-06-20 09:00", "announced_on": "2026-06-21"}


@pytest.mark.parametrize(
    ("day", "differently", "said"),
    [
        ("2026-02-10", {}, {"inside the cycle 2026Q1; let it begin on 2026-04-01", "outside the window"}),
        ("2026-04-01", {}, {"outside the window: changes take effect in the first 15 day(s) of month 1, 7"}),
        ("2026-01-16", {}, {"inside the cycle", "outside the window"}),
        ("2026-01-15", {}, set()),
        ("2026-07-01", {}, set()),
        ("2025-01-05", {"approved_at": "2025-01-02", "announced_on": "2025-01-03"}, {"too often"}),
        ("2026-01-01", {"reason": "  "}, {"says no reason"}),
        ("2026-01-01", {"approved_by": ""}, {"who approved it and when"}),
        ("2026-01-01", {"approved_at": None}, {"who approved it and when"}),
        ("2026-01-01", {"approved_at": "2026-01-02 08:00"}, {"approved after it took effect"}),
        ("2026-01-01", {"announced_on": None}, {"not announced before"}),
        ("2026-01-01", {"announced_on": "2026-01-02"}, {"not announced before"}),
    ],
)
def test_changes_that_are_refused(day, differently, said):
    versions = [FIRST, version("second", day, 30, **{**TOLD, **differently})]
    if not said:
        assert len(changes(versions, HALF_YEARLY, "quarter")) == 1
        return
    with pytest.raises(InputError) as caught:
        changes(versions, HALF_YEARLY, "quarter")
    text = caught.value.text("en")
    assert all(each in text for each in said) and len(caught.value.problems) == len(said)
    assert "second" in caught.value.text("zh")


def test_a_narrower_scheme_that_begins_within_a_cycle_is_a_change_for_those_it_takes():
    narrow = version("reps", "2026-02-10", 40, applies_to={"role": "rep"}, **TOLD)
    with pytest.raises(InputError, match="inside the cycle"):
        changes([FIRST, narrow], HALF_YEARLY, "quarter")
    others = version("managers", "2025-01-01", applies_to={"role": "manager"})
    assert changes([others, narrow], HALF_YEARLY, "quarter") == (), "nobody had another scheme before"


def test_the_same_scheme_again_is_no_change():
    again = SchemeVersion.model_validate({"scheme": FIRST.scheme, "effective_from": "2026-02-10"})
    assert changes([FIRST, again], HALF_YEARLY, "quarter") == ()


def test_a_season_must_be_whole_cycles():
    season = version("low", "2025-01-01", applies_to={"season": [1, 2]})
    with pytest.raises(InputError, match="2025Q1"):
        changes([FIRST, season], HALF_YEARLY, "quarter")
    assert changes([FIRST, season], HALF_YEARLY, "month") == ()


def test_the_fiscal_year_decides_where_cycles_begin():
    versions = [FIRST, version("second", "2026-02-01", 30, **TOLD)]
    window = Window(months=(2, 8), days=1, months_apart=6)
    assert len(changes(versions, window, "quarter", fiscal_year_starts=2)) == 1
    with pytest.raises(InputError, match="inside the cycle"):
        changes(versions, window, "quarter")


@pytest.mark.parametrize("months", [[0], [13], [1, 20]])
def test_months_are_months(months):
    with pytest.raises(ValueError, match="months are 1 to 12"):
        AppliesTo(season=tuple(months))
    with pytest.raises(ValueError, match="months are 1 to 12"):
        Window(months=tuple(months))


def test_who_can_be_meant_by_two():
    """Overlap by trying all people that two conditions can tell apart."""
    choices = [AppliesTo(role=role, teams=teams, season=season)
               for role, teams, season in itertools.product(["", "a", "b"], [(), ("T1",), ("T1", "T2")], [(), (1,), (2,)])]  # fmt: skip
    people = [({"role": role, "team_id": team}, Period.parse(month))
              for role, team, month in itertools.product("abc", ["T1", "T2", "T3"], ["2026-01", "2026-02", "2026-03"])]  # fmt: skip
    for one, other in itertools.product(choices, choices):
        both = any(one.fits(period, person) and other.fits(period, person) for person, period in people)
        assert one.overlaps(other) == both
