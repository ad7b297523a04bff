"""What pre-training buys: learn from much data, go on with little, and compare with little alone.

Names: all but those that begin with y or z, then 200 of these. Plays: most of Shakespeare's, then
6,400 characters of the two comedies that the rest leaves out. Both parts share one schema; the
figures are nats a row on unseen rows of the second part. Counts gain on both; a network, in the few
seconds that it has here, on the plays alone: what it learned of other names is of little use to it.
"""

import sys

import numpy as np

import genzoo

budget = sys.argv[1] if len(sys.argv) > 1 else "5s"  # of the transformer, for each fit
rng = np.random.default_rng(0)

names = genzoo.load_dataset("names")
rows = np.concatenate([names.train, names.valid, names.test])
listed = np.array(sorted(set(names.schema.decode(rows))))
rare = np.array([name[0] in "yz" for name in listed])
few, many = (rng.permutation(part).tolist() for part in (listed[rare], listed[~rare]))
plays = genzoo.load_dataset("tinyshakespeare")  # its test rows are of the two comedies
two = rng.permutation(plays.test)
PROBLEMS = {
    "names": (names.schema, many[1000:], many[:1000], few[:200], few[200:250], few[250:]),
    "plays": (plays.schema, plays.train, plays.valid, two[:100], two[100:150], two[150:650]),
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
            f"{without:.2f} without; pre-training buys {after - without:.2f} nats a row",
            flush=True,
        )
