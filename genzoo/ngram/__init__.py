"""The parts of the n-gram: contexts, counts and their smoothing, sums over missing entries."""
