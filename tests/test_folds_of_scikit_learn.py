"""scikit-learn's model selection where a fold holds what the training rows lack."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline

from genzoo import Independent, Schema

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "city": [*RNG.choice(["a", "b"], 99), "rare"],
        "x": [*RNG.normal(size=99).round(2), 50.0],
    }
)
CODES = np.r_[RNG.integers(0, 2, (99, 2)), [[5, 1]]]
LETTER = [*["ab"] * 50, *["ba"] * 49, "ax"]
LONGER = [*["ab"] * 50, *["ba"] * 49, "abba"]
HINT = r"fit\(..., schema=Schema.infer\(all_data\)\)"
CASES = [
    (FRAME, rf"column 'city': expected one of \['a', 'b'\]; got 'rare' \({HINT}"),
    (CODES, rf"variable 'x0'; got 5 in row 24 \({HINT}"),
    (LETTER, rf"row 24 has the character 'x'.*{HINT}"),
    (LONGER, rf"row 24 has 4 \({HINT}"),
]
IDS = ["frame", "codes", "letter", "longer"]


@pytest.mark.parametrize(("data", "message"), CASES, ids=IDS)
@pytest.mark.filterwarnings("ignore:.*beyond the")
def test_what_a_fold_lacks_is_said_and_a_schema_of_all_data_helps(data, message):
    with pytest.raises(ValueError, match=message):
        cross_val_score(Independent(), data, cv=KFold(4), error_score="raise")
    with pytest.warns(UserWarning, match=HINT):
        scores = cross_val_score(Independent(), data, cv=KFold(4))
    assert np.isnan(scores[-1])
    scores = cross_val_score(
        Independent(), data, cv=KFold(4), params={"schema": Schema.infer(data)}
    )
    assert np.isfinite(scores).all()


def test_a_search_takes_the_schema_as_an_argument_of_fit():
    search = GridSearchCV(Independent(), {"pseudo_count": [0.5, 1]}, cv=KFold(4))
    search.fit(FRAME, schema=Schema.infer(FRAME))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert np.isfinite(search.best_estimator_.score(FRAME, y=np.zeros(100)))


def test_the_last_step_of_a_pipeline_takes_it_under_its_name():
    model = Pipeline([("model", clone(Independent()))])
    scores = cross_val_score(
        model, FRAME, cv=KFold(4), params={"model__schema": Schema.infer(FRAME)}
    )
    assert np.isfinite(scores).all()
