"""Your own DataFrame: mixed columns and holes go in, the same come out; then ask questions."""

import numpy as np
import pandas as pd

import genzoo

rng = np.random.default_rng(0)
n = 2000
smoker = rng.random(n) < 0.3
age = rng.integers(18, 90, n)
risk = 0.05 + 0.2 * smoker + 0.004 * (age - 18)
patients = pd.DataFrame(
    {
        "age": age,
        "smoker": smoker,
        "pressure": np.round(110 + 0.4 * age + 8 * smoker + rng.normal(0, 8, n), 1),
        "outcome": pd.Categorical(np.where(rng.random(n) < risk, "ill", "well")),
    }
)
patients.loc[rng.random(n) < 0.1, "pressure"] = np.nan

model = genzoo.BayesianNetwork().fit(patients, seed=0)
print("drawn from the model:")
print(model.sample(5, seed=1))

print("people of 80 who smoke:")
print(model.sample(5, given={"age": 80, "smoker": True}, seed=1))

data = genzoo.Dataset.from_data(patients, "patients")
run = genzoo.compare(
    models=["independent", "bayesian_network"],
    datasets=[data],
    seeds=1,
    out="runs/your_own_table",
)
print(run.table()[["model", "status", "test_log_prob", "stderr", "kind"]].to_string(index=False))
print("report:", run.report()["html"])
