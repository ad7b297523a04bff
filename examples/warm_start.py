"""What pre-training buys: learn from much data, go on with little, and compare with little alone.

Names: all but those that begin with Y or Z, then 200 of these. Plays: Shakespeare's up to The
Taming of the Shrew, then 6,400 characters of that one. Both parts share one schema; the figures
are nats a row on unseen rows of the second part.
"""

import sys

import numpy as np

import genzoo

budget = sys.argv[1] if len(sys.argv) > 1 else "5s"  # of the transformer, for each fit
rng = np.random.default_rng(0)

names = genzoo.load_dataset("names")
rows = np.unique(np.concatenate([names.train, names.valid, names.test]), axis=0)
of_yz = np.isin(rows[:, 0], names.schema.encode(["y", "z"])[:, 0])
few, many = rng.permutation(rows[of_yz]), rng.permutation(rows[~of_yz])
plays = genzoo.load_dataset("tinyshakespeare")  # its last tenth, the test rows, is that comedy
shrew = rng.permutation(plays.test)
PROBLEMS = {
    "names": (names.schema, many[1000:], many[:1000], few[:200], few[200:250], few[250:]),
    "plays": (plays.schema, plays.train, plays.valid, shrew[:100], shrew[100:150], shrew[150:650]),
}

for problem, (schema, large, large_valid, small, small_valid, test) in PROBLEMS.items():
    for key in ("ngram", "transformer"):
        allowed = budget if key == "transformer" else None
        model = genzoo.make_model(key)
        model.fit(large, schema=schema, valid=large_valid, budget=allowed)
        before = model.score(test)
        model.fit(small, valid=small_valid, budget=allowed, warm_start=True)
        alone = genzoo.make_model(key)
        alone.fit(small, schema=schema, valid=small_valid, budget=allowed)
        after, without = model.score(test), alone.score(test)
        print(
            f"{problem}, {key}: {before:.2f} nats pre-trained, {after:.2f} fine-tuned, "
            f"{without:.2f} without; pre-training buys {after - without:.2f} nats a row"
        )
