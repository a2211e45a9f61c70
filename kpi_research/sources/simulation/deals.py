"""Opportunities, and which of them are won.

Opportunities come up on their own, at a rate that knows nothing of later wins; the wins that were drawn are then laid
upon opportunities of about the right age, and the others are lost. So the pipeline foretells nothing by construction.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpi_research.sources.simulation.calendar import MINUTES_A_DAY, Calendar, days_long, spread
from kpi_research.sources.simulation.causes import USUAL_WORKING_DAYS, WINS, Causes
from kpi_research.sources.simulation.frames import running_number
from kpi_research.sources.simulation.roster import Roster, Traits

WIN_RATE = 0.35
AGE_DAYS = (30.0, 90.0)
"""Age of an opportunity when it is won."""
YOUNGEST_DAYS = 7.0
"""The least age at which a win may be laid upon an opportunity, where there are few to choose from."""
LOST_AFTER_DAYS = (90.0, 240.0)
"""Deals are lost late. Were they lost at the age at which others are won, few losses would foretell many wins."""
NEW_ACCOUNT = 0.6
QUARTER_END_RUSH = 0.6
PRODUCTS = (
    # name, series, list price, share of the deals, bought for a year at a time
    ("云会员标准版", "订阅", 32000.0, 0.16, True),
    ("云会员专业版", "订阅", 46000.0, 0.12, True),
    ("企业版授权", "授权", 78000.0, 0.32, False),
    ("旗舰版授权", "授权", 118000.0, 0.15, False),
    ("数据分析模块", "增购", 68000.0, 0.25, False),
)
LIST_PRICE = np.array([price for _, _, price, _, _ in PRODUCTS])
YEARLY = np.array([yearly for *_, yearly in PRODUCTS])
ADD_ON = 4
"""What a customer buys who has bought before and does not renew."""
PRICE_SD = 0.22


def draw_deals(
    calendar: Calendar, causes: Causes, *, roster: Roster, traits: Traits, rng: np.random.Generator
) -> pd.DataFrame:
    """All opportunities since the run-up, by time of creation; their codes are 0, 1 ...

    Returns
    -------
    pandas.DataFrame
        desk, created, closed (also when that lies ahead), won, unexpected (one of more wins than the month promised),
        account (code), first_contact (the account is new), product (code), amount (CNY).
    """
    openings = _openings(calendar, roster, traits=traits, rng=rng)
    deals = _laid_upon(openings, _wins(calendar, causes, rng=rng), calendar=calendar, rng=rng)
    deals = deals[deals["created"] <= calendar.end].sort_values("created", ignore_index=True)
    deals["account"], deals["first_contact"] = _accounts(deals["desk"].to_numpy(), rng)
    deals["product"] = _products(deals, rng)
    price = LIST_PRICE[deals["product"]] * np.exp(rng.normal(0, PRICE_SD, len(deals)))
    deals["amount"] = price.round(-2)
    return deals


def owner_at(desks: np.ndarray, times: np.ndarray, *, calendar: Calendar, roster: Roster) -> np.ndarray:
    """Code of the person at each desk at each time."""
    return roster.person(desks, calendar.month_of(times))


def on_one_line(desks: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Times of all desks on one line, desk after desk, so that one search finds a moment at its desk."""
    return desks * (200 * 366 * MINUTES_A_DAY) + times.astype("M8[m]").astype(int)


def _openings(calendar: Calendar, roster: Roster, *, traits: Traits, rng: np.random.Generator) -> pd.DataFrame:
    busy = calendar.working_days_in(calendar.span) / USUAL_WORKING_DAYS
    desk, month = spread(rng.poisson(WINS / WIN_RATE * busy * np.exp(traits.talent[roster.occupant])))
    created = calendar.moments(month, rng)
    lost = calendar.at_work(created + days_long(rng.uniform(*LOST_AFTER_DAYS, len(desk))), rng)
    openings = pd.DataFrame({"desk": desk, "created": created, "closed": lost, "won": False, "unexpected": False})
    return openings.sort_values(["desk", "created"], ignore_index=True)


def _wins(calendar: Calendar, causes: Causes, *, rng: np.random.Generator) -> pd.DataFrame:
    desk, month = spread(causes.wins)
    quarter_end = (calendar.start + month).astype(int) % 3 == 2
    signed = calendar.moments(month, rng, rush=np.where(quarter_end, QUARTER_END_RUSH, 1.0))
    wins = pd.DataFrame(
        {"desk": desk, "closed": signed, "wanted": signed - days_long(rng.uniform(*AGE_DAYS, len(desk)))}
    )
    promised = np.repeat(causes.expected.round().astype(int), causes.wins.ravel())
    wins["unexpected"] = running_number(desk * 1000 + month) >= promised
    return wins.sort_values(["desk", "wanted"], ignore_index=True)


def _laid_upon(
    openings: pd.DataFrame, wins: pd.DataFrame, *, calendar: Calendar, rng: np.random.Generator
) -> pd.DataFrame:
    """Each win on an opening of its own, created at the wanted time or the next free one after it.

    Where none is free early enough the win brings its own opportunity.
    """
    number = np.arange(len(wins))
    place = np.searchsorted(
        on_one_line(openings["desk"].to_numpy(), openings["created"].to_numpy()),
        on_one_line(wins["desk"].to_numpy(), wins["wanted"].to_numpy()),
    )
    place = np.maximum.accumulate(place - number) + number
    found = openings.reindex(place)
    old_enough = found["created"].to_numpy() < wins["closed"].to_numpy() - days_long(np.array(YOUNGEST_DAYS))
    fits = (found["desk"].to_numpy() == wins["desk"].to_numpy()) & old_enough
    openings.loc[place[fits], "closed"] = wins.loc[fits, "closed"].to_numpy()
    openings.loc[place[fits], "unexpected"] = wins.loc[fits, "unexpected"].to_numpy()
    openings.loc[place[fits], "won"] = True
    own = wins[~fits].assign(created=lambda rows: calendar.at_work(rows["wanted"].to_numpy(), rng), won=True)
    return pd.concat([openings, own[openings.columns]])


def _accounts(desks: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The account of each deal, by number in the order of appearance, and whether it is new.

    An old one is one of the same desk's, later ones more often.
    """
    new = (rng.random(len(desks)) < NEW_ACCOUNT) | (running_number(desks) == 0)
    codes = np.cumsum(new) - 1
    so_far = pd.Series(new).groupby(desks).cumsum().to_numpy()
    picked = (so_far * np.sqrt(rng.random(len(desks)))).astype(int)
    of_desk = codes[new][np.argsort(desks[new], kind="stable")]
    starts = np.searchsorted(np.sort(desks[new]), desks)
    return np.where(new, codes, of_desk[starts + picked]), new


def _products(deals: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Anything at first; who has bought before buys no second subscription, so that a renewal has one contract."""
    product = rng.choice(len(PRODUCTS), len(deals), p=[share for _, _, _, share, _ in PRODUCTS])
    bought = deals["won"].astype(int).groupby(deals["account"]).cumsum() - deals["won"] > 0
    return np.where(bought & YEARLY[product], ADD_ON, product)
