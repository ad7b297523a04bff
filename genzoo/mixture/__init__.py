"""The parts of the mixture family: what rows tell, products and their EM, the search."""
