"""Each variable given any others: one network, and two distributions made of it."""
