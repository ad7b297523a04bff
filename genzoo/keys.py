"""What there is, by key: literal dicts of ``key: "module:attribute"``, and nothing else.

A new family, data set or metric is one file and one line here. Third parties need no line: every
function that takes a key also takes the object itself.
"""

from __future__ import annotations

MODELS = {
    "independent": "genzoo.models.independent:Independent",
    "bayesian_network": "genzoo.models.bayesian_network.model:BayesianNetwork",
    "mixture": "genzoo.models.mixture.model:Mixture",
    "hmm": "genzoo.models.hmm.model:HMM",
    "vae": "genzoo.models.vae:VAE",
    "gan": "genzoo.models.gan.model:GAN",
    "transformer": "genzoo.models.transformer.model:TransformerLM",
    "ngram": "genzoo.models.ngram.model:NGram",
}

# each value is a function that takes the key and returns the Dataset
DATASETS = {
    "adult": "genzoo.datasets.uci:adult",
    "alarm": "genzoo.datasets.networks:load",
    "asia": "genzoo.datasets.networks:load",
    "breast_cancer": "genzoo.datasets.tables:load",
    "casino": "genzoo.datasets.synthetic:load",
    "child": "genzoo.datasets.networks:load",
    "debd/accidents": "genzoo.datasets.debd:load",
    "debd/ad": "genzoo.datasets.debd:load",
    "debd/baudio": "genzoo.datasets.debd:load",
    "debd/bbc": "genzoo.datasets.debd:load",
    "debd/bnetflix": "genzoo.datasets.debd:load",
    "debd/book": "genzoo.datasets.debd:load",
    "debd/c20ng": "genzoo.datasets.debd:load",
    "debd/cr52": "genzoo.datasets.debd:load",
    "debd/cwebkb": "genzoo.datasets.debd:load",
    "debd/dna": "genzoo.datasets.debd:load",
    "debd/jester": "genzoo.datasets.debd:load",
    "debd/kdd": "genzoo.datasets.debd:load",
    "debd/kosarek": "genzoo.datasets.debd:load",
    "debd/msnbc": "genzoo.datasets.debd:load",
    "debd/msweb": "genzoo.datasets.debd:load",
    "debd/nips": "genzoo.datasets.debd:load",
    "debd/nltcs": "genzoo.datasets.debd:load",
    "debd/plants": "genzoo.datasets.debd:load",
    "debd/pumsb_star": "genzoo.datasets.debd:load",
    "debd/tmovie": "genzoo.datasets.debd:load",
    "debd/tretail": "genzoo.datasets.debd:load",
    "diabetes": "genzoo.datasets.tables:load",
    "digits": "genzoo.datasets.images:load",
    "digits_binary": "genzoo.datasets.images:load",
    "fashion_mnist": "genzoo.datasets.images:load_28",
    "grammar": "genzoo.datasets.synthetic:load",
    "insurance": "genzoo.datasets.networks:load",
    "iris": "genzoo.datasets.tables:load",
    "jsb_chorales": "genzoo.datasets.music:load",
    "jsb_voices": "genzoo.datasets.music:load",
    "kmnist": "genzoo.datasets.images:load_28",
    "mnist": "genzoo.datasets.images:load_28",
    "mnist_binary": "genzoo.datasets.images:load_28",
    "names": "genzoo.datasets.text:load",
    "nottingham": "genzoo.datasets.music:load",
    "promoters": "genzoo.datasets.uci:promoters",
    "rings": "genzoo.datasets.synthetic:load",
    "sachs": "genzoo.datasets.networks:load",
    "splice": "genzoo.datasets.uci:splice",
    "tinyshakespeare": "genzoo.datasets.text:load",
    "wine": "genzoo.datasets.tables:load",
}

# each is a MetricSpec
METRICS = {
    "test_log_prob": "genzoo.metrics.likelihood:TEST_LOG_PROB",
    "bits_per_dim": "genzoo.metrics.likelihood:BITS_PER_DIM",
    "truth_gap": "genzoo.metrics.likelihood:TRUTH_GAP",
    "c2st": "genzoo.metrics.two_sample:C2ST",
    "mmd": "genzoo.metrics.mmd:MMD",
    "precision": "genzoo.metrics.manifold:PRECISION",
    "recall": "genzoo.metrics.manifold:RECALL",
    "density": "genzoo.metrics.manifold:DENSITY",
    "coverage": "genzoo.metrics.manifold:COVERAGE",
    "marginal_tv": "genzoo.metrics.variation:MARGINAL_TV",
    "pair_tv": "genzoo.metrics.variation:PAIR_TV",
    "ngram_tv": "genzoo.metrics.ngrams:NGRAM_TV",
    "novelty": "genzoo.metrics.ngrams:NOVELTY",
    "frechet": "genzoo.metrics.frechet:FRECHET",
    "memorisation": "genzoo.metrics.memorisation:MEMORISATION",
}
