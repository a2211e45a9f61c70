"""Published numbers that the panel regressions are held to, each with its parent and the way to make it again.

Petersen's simulated panel (500 firms x 10 years) ships with statsmodels as `stats/tests/test_data.txt`. The standard
errors stand on Petersen's page "Programming Advice" beside his 2009 article (Review of Financial Studies 22) and come
out the same in R 4.2.2 with sandwich 3.0-2:

    m <- lm(y ~ x, petersen)
    sqrt(diag(vcovHC(m, "HC1"))); sqrt(diag(vcovCL(m, ~ firm))); sqrt(diag(vcovCL(m, ~ year)))
    sqrt(diag(vcovCL(m, ~ firm + year, multi0 = FALSE)))

Grunfeld's investment panel without American Steel (10 firms x 20 years) ships with statsmodels. The coefficients stand
in Baltagi, Econometric Analysis of Panel Data, table 2.1; all numbers come from R 4.2.2 with plm 2.6-2. The calls are
given for whoever wants to make them again; the tests need no R:

    w <- plm(inv ~ value + capital, Grunfeld, model = "within")
    t <- plm(inv ~ value + capital, Grunfeld, model = "within", effect = "twoways")
    sqrt(diag(vcovHC(w, type = "HC0"))); sqrt(diag(vcovHC(w, type = "HC1")))

The 15 p-values are those of Benjamini & Hochberg (1995), Journal of the Royal Statistical Society B 57, section 3.2.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import statsmodels

PETERSEN_COEF = [0.0296797, 1.0348334]
PETERSEN_SE_OF_X = {"iid": 0.0285833, "HC1": 0.0283952, "firm": 0.0505957, "year": 0.0333889, "both": 0.0535580}
PETERSEN_SE_OF_CONST_BY_FIRM = 0.0670127

GRUNFELD_WITHIN = ([0.1101238, 0.3100653], [0.0118567, 0.0173545])
GRUNFELD_TWO_WAYS = ([0.1177159, 0.3579163], [0.0137513, 0.0227190])
GRUNFELD_WITHIN_HC0 = [0.0143421, 0.0497926]
GRUNFELD_WITHIN_HC1 = [0.0144144, 0.0500435]

BENJAMINI_HOCHBERG_P = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip
BENJAMINI_HOCHBERG_DISCOVERIES_AT_5_PERCENT = 4


def petersen() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Petersen's panel: y (n), X with a constant (n x 2), firm and year (n codes)."""
    path = Path(statsmodels.__file__).parent / "stats" / "tests" / "test_data.txt"
    firm, year, x, y = np.loadtxt(path).T
    return y, np.column_stack([np.ones(len(y)), x]), firm.astype(int) - 1, year.astype(int) - 1


def grunfeld() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Grunfeld's ten firms: investment (n), value and capital (n x 2), firm and year (n codes)."""
    from statsmodels.datasets import grunfeld as dataset

    data = dataset.load_pandas().data
    data = data[data["firm"] != "American Steel"]
    firm, year = (np.unique(data[column], return_inverse=True)[1] for column in ("firm", "year"))
    return data["invest"].to_numpy(float), data[["value", "capital"]].to_numpy(float), firm, year
