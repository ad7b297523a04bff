"""What ``genzoo`` gives, for type checkers and editors (written by docs/generate.py)."""

from genzoo.benchmark import compare as compare
from genzoo.benchmark import compare_runs as compare_runs
from genzoo.benchmark import load_run as load_run
from genzoo.conformance import ConformanceError as ConformanceError
from genzoo.conformance import check_model as check_model
from genzoo.datasets.dataset import Dataset as Dataset
from genzoo.datasets.tokens import in_tokens as in_tokens
from genzoo.model import GenerativeModel as GenerativeModel
from genzoo.models.anyorder.diffusion import Diffusion as Diffusion
from genzoo.models.anyorder.masked_transformer import MaskedTransformer as MaskedTransformer
from genzoo.models.bayesian_network.model import BayesianNetwork as BayesianNetwork
from genzoo.models.circuit.model import Circuit as Circuit
from genzoo.models.gan.model import GAN as GAN
from genzoo.models.hmm.model import HMM as HMM
from genzoo.models.independent import Independent as Independent
from genzoo.models.mixture.model import Mixture as Mixture
from genzoo.models.ngram.model import NGram as NGram
from genzoo.models.stack import Stack as Stack
from genzoo.models.transformer.model import TransformerLM as TransformerLM
from genzoo.models.vae import VAE as VAE
from genzoo.queries import classify as classify
from genzoo.queries import impute as impute
from genzoo.queries import log_prob_by_variable as log_prob_by_variable
from genzoo.registry import list_datasets as list_datasets
from genzoo.registry import list_metrics as list_metrics
from genzoo.registry import list_models as list_models
from genzoo.registry import load_dataset as load_dataset
from genzoo.registry import load_model as load_model
from genzoo.registry import make_model as make_model
from genzoo.space.schema import MISSING as MISSING
from genzoo.space.schema import Schema as Schema
from genzoo.space.schema import Variable as Variable
from genzoo.values import LogProb as LogProb
from genzoo.values import Score as Score
from genzoo.values import Unsupported as Unsupported

__version__: str
__all__ = [
    "GAN",
    "HMM",
    "MISSING",
    "VAE",
    "BayesianNetwork",
    "Circuit",
    "ConformanceError",
    "Dataset",
    "Diffusion",
    "GenerativeModel",
    "Independent",
    "LogProb",
    "MaskedTransformer",
    "Mixture",
    "NGram",
    "Schema",
    "Score",
    "Stack",
    "TransformerLM",
    "Unsupported",
    "Variable",
    "__version__",
    "check_model",
    "classify",
    "compare",
    "compare_runs",
    "impute",
    "in_tokens",
    "list_datasets",
    "list_metrics",
    "list_models",
    "load_dataset",
    "load_model",
    "load_run",
    "log_prob_by_variable",
    "make_model",
]
