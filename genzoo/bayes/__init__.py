"""The parts of a Bayesian network: conditionals, structure, trees, inference, export."""
