"""The parts of the HMM family: the chain and its exact inference, EM, and the order of columns."""
