"""Words that names of people, teams and companies are put together from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpi_research.sources.simulation.frames import choose

SURNAMES = tuple("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎")
_TWO_CHARACTERS = (
    "建国丽华志强晓燕海波雪梅文博子涵宇轩思远佳怡梦琪浩然欣怡俊杰"
    "雨桐家豪晓东婷婷国栋春梅立新少华慧敏嘉欣天宇一鸣若琳泽宇玉兰"
)
GIVEN = (
    *"伟芳娜敏静强磊军洋勇艳杰娟涛明超霞平刚鹏",
    *(_TWO_CHARACTERS[start : start + 2] for start in range(0, len(_TWO_CHARACTERS), 2)),
)
REGIONS = {
    "华东": ("上海", "杭州", "南京", "苏州", "宁波", "无锡"),
    "华南": ("广州", "深圳", "东莞", "佛山", "厦门"),
    "华北": ("北京", "天津", "石家庄", "济南", "青岛"),
    "西南": ("成都", "重庆", "昆明", "贵阳"),
    "华中": ("武汉", "长沙", "郑州", "合肥"),
    "西北": ("西安", "兰州", "银川"),
    "东北": ("沈阳", "大连", "长春", "哈尔滨"),
}
ORDINALS = "一二三四五六七八九十"
BRANDS = tuple("恒瑞信达华盛鑫泰博远宏安嘉诚天智云海新科联创金福永兴广德东方明正中和启航")
INDUSTRIES = {
    "制造": ("机械", "精密制造", "电子", "汽车零部件"),
    "零售": ("商贸", "供应链", "百货"),
    "物流": ("物流", "国际货运"),
    "医疗": ("医疗器械", "生物科技"),
    "教育": ("教育科技", "文化传播"),
    "建筑": ("建筑工程", "装饰工程"),
    "软件": ("信息技术", "网络科技"),
}
TIERS = ("A", "B", "C")
SOURCES = ("官网", "展会", "转介绍", "电话开发", "广告投放", "老客户推荐")


def people_names(count: int, rng: np.random.Generator) -> pd.Series:
    """Names of people, commoner surnames more often; some occur twice, as in life."""
    common = 1 / np.arange(1, len(SURNAMES) + 1) ** 0.7
    surname = rng.choice(len(SURNAMES), count, p=common / common.sum())
    return choose(SURNAMES, surname) + choose(GIVEN, rng.integers(len(GIVEN), size=count))


def team_region(team: int) -> str:
    """The region of a team by its number."""
    return list(REGIONS)[team % len(REGIONS)]


def team_name(team: int) -> str:
    """`华东一组`, `华南一组` ... and the regions again with a second group, and so on."""
    turn = team // len(REGIONS)
    return f"{team_region(team)}{ORDINALS[turn] if turn < len(ORDINALS) else turn + 1}组"


def company_names(regions: pd.Series, rng: np.random.Generator) -> tuple[pd.Series, pd.Series]:
    """Names of companies in these regions, and their industries."""
    count = len(regions)
    city = pd.Series("", index=regions.index, dtype="str")
    for region, cities in REGIONS.items():
        here = (regions == region).to_numpy()
        city[here] = choose(cities, rng.integers(len(cities), size=here.sum())).to_numpy()
    trades = [(industry, trade) for industry, names in INDUSTRIES.items() for trade in names]
    trade = rng.integers(len(trades), size=count)
    brand = choose(BRANDS, rng.integers(len(BRANDS), size=count)) + choose(
        BRANDS, rng.integers(len(BRANDS), size=count)
    )
    names = city + brand + choose([name for _, name in trades], trade) + "有限公司"
    return names, choose([industry for industry, _ in trades], trade)
