"""The settings of a simulated company, and the records that say what was planted in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kpi_research.language import Bilingual
from kpi_research.periods import Period

Role = Literal["driver", "talent", "follows_results", "back_dated", "mechanical", "noise"]


@dataclass(frozen=True)
class Company:
    """What a simulated company is like.

    Parameters
    ----------
    people
        How many are on the roster at any time; who leaves is replaced.
    teams
        At most as many as people.
    first_month, months
        First month of the data and how many there are; nothing occurs after the last day of the last one.
    driver_effect
        Log points of next month's wins per within-person standard deviation of the driver; 0: nothing works.
    seed
        The same seed gives the same rows. The default was chosen among fourteen, so that chance plays no trick: at
        others about one KPI in twenty that has no effect looks as if it had one.

    Raises
    ------
    ValueError
        If there are fewer people than teams, no team, or fewer than three months.
    InputError
        If `first_month` is not the name of a period.
    """

    people: int = 40
    teams: int = 5
    first_month: str = "2024-07"
    months: int = 27
    driver_effect: float = 0.22
    seed: int = 20251001

    def __post_init__(self) -> None:
        if not 1 <= self.teams <= self.people:
            raise ValueError(f"teams must be between 1 and the number of people, got {self.teams} for {self.people}")
        if self.months < 3:
            raise ValueError(f"at least 3 months are needed, got {self.months}")
        if self.first.grain != "month":
            raise ValueError(f"first_month must be a month such as 2024-07, got {self.first_month!r}")

    @property
    def first(self) -> Period:
        """The first month of the data."""
        return Period.parse(self.first_month)


@dataclass(frozen=True)
class PlantedTruth:
    """What is true of one KPI of a simulated company.

    Parameters
    ----------
    kpi
        Its name in the catalogue.
    role
        `driver` moves later results; `talent` only goes along with who is good; `follows_results` is their
        consequence; `back_dated` is typed in after the win and dated before it; `mechanical` shares records with
        the result; `noise` has nothing to do with it.
    lag_months
        After how many months most of the effect arrives; None where there is none.
    effect
        Log points of wins `lag_months` later per within-person standard deviation of the KPI.
    why
        How it came about.
    """

    kpi: str
    role: Role
    lag_months: int | None
    effect: float
    why: Bilingual


def planted(company: Company) -> tuple[PlantedTruth, ...]:
    """What is true of each KPI of this company; without an effect the driver is noise too."""
    works = company.driver_effect != 0
    demos = PlantedTruth(
        "demos",
        "driver" if works else "noise",
        1 if works else None,
        company.driver_effect,
        DEMOS_WORK if works else NOTHING_WORKS,
    )
    return (demos, *(PlantedTruth(kpi, role, None, 0.0, why) for kpi, role, why in WITHOUT_EFFECT))


DEMOS_WORK = Bilingual(
    "某人某月演示做得比平时多,下个月签单就更多,再下个月还有小部分效果;演示次数不受业绩影响。",
    "When a person demonstrates more than usual, that person wins more next month and a little more the month after; "
    "demos do not react to results.",
)
NOTHING_WORKS = Bilingual("这家公司没有任何过程指标能影响业绩。", "In this company no process KPI moves results.")
WITHOUT_EFFECT: tuple[tuple[str, Role, Bilingual], ...] = (
    (
        "calls",
        "talent",
        Bilingual(
            "能力强的人、旺季的月份电话都更多,但同一个人多打电话并不会多签单。",
            "Able people and busy months have more calls, but a person who calls more wins no more for it.",
        ),
    ),
    (
        "visits",
        "noise",
        Bilingual(
            "公司要求每人每周拜访五家客户,大家都照做了,业绩并没有因此提高。",
            "Everyone is told to visit five customers a week and does; results do not rise.",
        ),
    ),
    (
        "sharing_sessions",
        "follows_results",
        Bilingual(
            "业绩出乎意料地好,当月和下个月才被请去分享经验;分享是结果,不是原因。",
            "Whoever had a surprisingly good month is asked to share experience then and in the next; "
            "it is a consequence, not a cause.",
        ),
    ),
    (
        "proposals",
        "back_dated",
        Bilingual(
            "不少方案是签约之后补录的,日期却写成上个月,看上去像是方案带来了签单。",
            "Many proposals are typed in after the signing and dated the month before, so they seem to bring the win.",
        ),
    ),
    (
        "signed_contracts",
        "mechanical",
        Bilingual(
            "与签约金额来自同一批合同,同涨同落是必然的。",
            "It counts the very contracts whose amounts are summed in the signed amount.",
        ),
    ),
    (
        "need_surveys",
        "noise",
        Bilingual(
            "需求调研的次数是随机的,与业绩无关。", "The number of need surveys is random and unrelated to results."
        ),
    ),
)
