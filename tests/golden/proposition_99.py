"""Proposition 99, the published example of synthetic control: our weights beside the published estimates.

    pip download --no-deps causalpy==0.9.0 && unzip causalpy-0.9.0-py3-none-any.whl causalpy/data/california_prop99.csv
    python tests/golden/proposition_99.py causalpy/data/california_prop99.csv

Packs of cigarettes a head, 39 states, 1970-2000; California taxed them from 1989 on. Arkhangelsky, Athey, Hirshberg,
Imbens & Wager (2021, American Economic Review 111(12), table 1): difference in differences -27.3, synthetic control -19.6,
the same with an intercept -11.1, synthetic difference in differences -15.6 with a standard error of 8.4. That error is
the spread of some hundreds of placebo states drawn at random; ours is that of all 38, once each. Of 200 drawn from ours
the spread lies between 8.1 and 10.6 in 95 % of 2000 tries, so that 8.4 is one such try. The data are read from a public package's file and not kept here.
"""

import sys

import pandas as pd

from kpi_research.evidence.synthetic_control import simplex_weights, synthetic_control
from kpi_research.evidence.synthetic_differences import synthetic_differences

PUBLISHED = {
    "difference in differences": (-27.3, 0.15),
    "synthetic control": (-19.6, 0.15),
    "with intercept": (-11.1, 0.15),
    "synthetic differences": (-15.6, 0.1),
    "their standard error": (8.4, 1.2),
}
"""Estimates as published, and how far ours may be off."""


def estimates(packs: pd.DataFrame) -> dict[str, float]:
    """From packs by year and state: mean over 1989-2000 of California less its comparison."""
    own, others = packs["California"].to_numpy(), packs.drop(columns="California").to_numpy().T
    start = list(packs.index).index(1989)
    mixture = simplex_weights(own[:start], others[:, :start])
    moved = synthetic_control(own, others, start)
    equal = own - others.mean(axis=0)
    differences = synthetic_differences(own, others, start, after=len(own) - start)
    return {
        "difference in differences": float(equal[start:].mean() - equal[:start].mean()),
        "synthetic control": float((own - mixture @ others)[start:].mean()),
        "with intercept": float((moved.actual - moved.mixture)[start:].mean()),
        "synthetic differences": differences.effect,
        "their standard error": differences.se,
    }


if __name__ == "__main__":
    found = estimates(pd.read_csv(sys.argv[1], index_col="Year"))
    for name, value in found.items():
        print(f"{name:26s} {value:8.3f}   published {PUBLISHED[name][0]:6.1f}")
    sys.exit(int(any(abs(value - PUBLISHED[name][0]) > PUBLISHED[name][1] for name, value in found.items())))
