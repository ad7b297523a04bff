"""Fit two families to a data set whose truth is known, and see how far from it they are."""

import genzoo

data = genzoo.load_dataset("asia")
print(f"{data.name}: {len(data.train)} training rows of {data.schema.D} variables")

truth = data.truth.log_prob(data.test).mean()
print(f"{'truth':18s} {truth:.4f} nats per row")

for name in ("independent", "bayesian_network"):
    model = genzoo.make_model(name).fit(data, seed=0)
    score = model.log_prob(data.test).mean()
    print(f"{name:18s} {score} ({score.kind}), {score.bits_per_dim(data.schema):.4f} bits per dim")

print("three rows drawn from the Bayesian network:")
print(data.schema.decode(model.sample(3, seed=1)))
