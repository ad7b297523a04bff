"""What the networks share: heads, coders, the training loop, bounds."""
