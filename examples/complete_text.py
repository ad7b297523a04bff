"""Train a small transformer on Shakespeare's plays and let it go on from a prompt.

Ten seconds are enough for the look of a play; give it minutes (the argument) for the words.
"""

import sys

import genzoo

budget = sys.argv[1] if len(sys.argv) > 1 else "10s"
plays = genzoo.load_dataset("tinyshakespeare")
model = genzoo.TransformerLM().fit(plays, seed=0, budget=budget, progress=sys.stderr.isatty())

print(model.complete("ROMEO:", n_chars=300, seed=1))

text = plays.text["test"][0][:5000]
print(f"\nnats per character on unseen text: {model.score_text(text)}")
