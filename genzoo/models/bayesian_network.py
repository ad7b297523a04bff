"""Bayesian networks: each variable given a few others, along a graph without cycles.

    p(x) = prod_d p_d(x_d | x_parents(d))

The graph is what has to be found. Three kinds are learned and the best on validation rows is kept:

    Chow-Liu tree   at most one parent each, the tree of largest mutual information (exact);
    tables          edges added greedily by the BDeu score, a table for each variable;
    trees           a decision tree for each variable, grown greedily: a context is a leaf, so
                    a variable can look at many others where the data ask for it.

Tables cost a row for every combination of the parents' values, trees only for the leaves: on the
binary benchmark tables trees win on nearly all. What a context has not seen is filled in from the
one above it (``genzoo.bayes.conditionals``), with a strength chosen on validation rows for each
kind of network. Long ordinals are modelled in bins whose mass is spread over their codes exactly
(``genzoo.coarsen``). On sequences all edges point forward, so prompts are completed exactly at no
cost; a string's END is one more fact about the position before (``Stopped``). Inference is exact
(``genzoo.bayes.inference``).

References:
    Chow & Liu (1968), Approximating discrete probability distributions with dependence trees.
    Heckerman, Geiger & Chickering (1995), Learning Bayesian networks: the combination of
    knowledge and statistical data.
    Chickering, Heckerman & Meek (1997), A Bayesian approach to learning Bayesian networks with
    local structure.
    Koller & Friedman (2009), Probabilistic Graphical Models.
"""
