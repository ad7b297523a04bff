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
    "circuit": "genzoo.models.circuit.model:Circuit",
    "masked_transformer": "genzoo.models.anyorder.masked_transformer:MaskedTransformer",
    "diffusion": "genzoo.models.anyorder.diffusion:Diffusion",
}

# models that are made of models: no families that a comparison fits
COMPOSED = {
    "stack": "genzoo.models.stack:Stack",
}

# each value is a dict of Entry by key
DATASETS = {
    "adult": "genzoo.datasets.uci:ENTRIES",
    "alarm": "genzoo.datasets.networks:ENTRIES",
    "asia": "genzoo.datasets.networks:ENTRIES",
    "breast_cancer": "genzoo.datasets.tables:ENTRIES",
    "casino": "genzoo.datasets.synthetic:ENTRIES",
    "child": "genzoo.datasets.networks:ENTRIES",
    "debd/accidents": "genzoo.datasets.debd:ENTRIES",
    "debd/ad": "genzoo.datasets.debd:ENTRIES",
    "debd/baudio": "genzoo.datasets.debd:ENTRIES",
    "debd/bbc": "genzoo.datasets.debd:ENTRIES",
    "debd/bnetflix": "genzoo.datasets.debd:ENTRIES",
    "debd/book": "genzoo.datasets.debd:ENTRIES",
    "debd/c20ng": "genzoo.datasets.debd:ENTRIES",
    "debd/cr52": "genzoo.datasets.debd:ENTRIES",
    "debd/cwebkb": "genzoo.datasets.debd:ENTRIES",
    "debd/dna": "genzoo.datasets.debd:ENTRIES",
    "debd/jester": "genzoo.datasets.debd:ENTRIES",
    "debd/kdd": "genzoo.datasets.debd:ENTRIES",
    "debd/kosarek": "genzoo.datasets.debd:ENTRIES",
    "debd/msnbc": "genzoo.datasets.debd:ENTRIES",
    "debd/msweb": "genzoo.datasets.debd:ENTRIES",
    "debd/nips": "genzoo.datasets.debd:ENTRIES",
    "debd/nltcs": "genzoo.datasets.debd:ENTRIES",
    "debd/plants": "genzoo.datasets.debd:ENTRIES",
    "debd/pumsb_star": "genzoo.datasets.debd:ENTRIES",
    "debd/tmovie": "genzoo.datasets.debd:ENTRIES",
    "debd/tretail": "genzoo.datasets.debd:ENTRIES",
    "diabetes": "genzoo.datasets.tables:ENTRIES",
    "digits": "genzoo.datasets.images:ENTRIES",
    "digits_binary": "genzoo.datasets.images:ENTRIES",
    "fashion_mnist": "genzoo.datasets.images:ENTRIES",
    "grammar": "genzoo.datasets.synthetic:ENTRIES",
    "insurance": "genzoo.datasets.networks:ENTRIES",
    "iris": "genzoo.datasets.tables:ENTRIES",
    "jsb_chorales": "genzoo.datasets.music:ENTRIES",
    "jsb_voices": "genzoo.datasets.music:ENTRIES",
    "kmnist": "genzoo.datasets.images:ENTRIES",
    "mnist": "genzoo.datasets.images:ENTRIES",
    "mnist_binary": "genzoo.datasets.images:ENTRIES",
    "names": "genzoo.datasets.text:ENTRIES",
    "names_bpe": "genzoo.datasets.tokens:ENTRIES",
    "nottingham": "genzoo.datasets.music:ENTRIES",
    "promoters": "genzoo.datasets.uci:ENTRIES",
    "rings": "genzoo.datasets.synthetic:ENTRIES",
    "sachs": "genzoo.datasets.networks:ENTRIES",
    "splice": "genzoo.datasets.uci:ENTRIES",
    "tinyshakespeare": "genzoo.datasets.text:ENTRIES",
    "tinyshakespeare_bpe": "genzoo.datasets.tokens:ENTRIES",
    "wine": "genzoo.datasets.tables:ENTRIES",
}

# each is a MetricSpec
METRICS = {
    "test_log_prob": "genzoo.metrics.likelihood:TEST_LOG_PROB",
    "bits_per_dim": "genzoo.metrics.likelihood:BITS_PER_DIM",
    "truth_gap": "genzoo.metrics.likelihood:TRUTH_GAP",
    "c2st": "genzoo.metrics.two_sample:C2ST",
    "tstr": "genzoo.metrics.utility:TSTR",
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

# what ``genzoo.NAME`` is, beside the classes of the families
FACE = {
    "MISSING": "genzoo.space.schema:MISSING",
    "ConformanceError": "genzoo.conformance:ConformanceError",
    "Dataset": "genzoo.datasets.dataset:Dataset",
    "GenerativeModel": "genzoo.model:GenerativeModel",
    "LogProb": "genzoo.values:LogProb",
    "Schema": "genzoo.space.schema:Schema",
    "Score": "genzoo.values:Score",
    "Unsupported": "genzoo.values:Unsupported",
    "Variable": "genzoo.space.schema:Variable",
    "check_model": "genzoo.conformance:check_model",
    "classify": "genzoo.queries:classify",
    "compare": "genzoo.benchmark:compare",
    "compare_runs": "genzoo.benchmark:compare_runs",
    "impute": "genzoo.queries:impute",
    "in_tokens": "genzoo.datasets.tokens:in_tokens",
    "list_datasets": "genzoo.registry:list_datasets",
    "list_metrics": "genzoo.registry:list_metrics",
    "list_models": "genzoo.registry:list_models",
    "load_dataset": "genzoo.registry:load_dataset",
    "load_model": "genzoo.registry:load_model",
    "load_run": "genzoo.benchmark:load_run",
    "log_prob_by_variable": "genzoo.queries:log_prob_by_variable",
    "make_model": "genzoo.registry:make_model",
}
FACE |= {place.partition(":")[2]: place for place in (MODELS | COMPOSED).values()}
