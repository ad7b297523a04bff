"""A fitted network in pgmpy's form, and in the BIF format. The only file that imports pgmpy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.datasets import bif
from genzoo.models.bayesian_network.inference import Network
from genzoo.seeding import global_rng_untouched
from genzoo.space import times
from genzoo.space.coarsen import Coarsening
from genzoo.space.schema import Schema, Variable
from genzoo.values import Unsupported

if TYPE_CHECKING:
    from pgmpy.models import DiscreteBayesianNetwork

LARGEST_TABLE = 2**12  # entries of a child's table: what can be exported, against its size


def to_pgmpy(network: Network, coarsening: Coarsening, schema: Schema) -> DiscreteBayesianNetwork:
    """See ``BayesianNetwork.network_``."""
    with global_rng_untouched():  # that of ``random`` moves when pgmpy is loaded
        from pgmpy.factors.discrete import TabularCPD
        from pgmpy.models import DiscreteBayesianNetwork

    names = schema.names
    graph = DiscreteBayesianNetwork()
    graph.add_nodes_from(names)
    graph.add_edges_from(
        (names[p], names[c]) for c, own in enumerate(network.conditionals) for p in own.parents
    )
    reason = too_large(network, schema)
    if reason is not None:
        graph.graph["reason"] = reason
        return graph
    states = state_names(coarsening, schema)
    for child in range(schema.D):
        parents = network.conditionals[child].parents.tolist()
        graph.add_cpds(
            TabularCPD(
                names[child],
                int(network.cards[child]),
                _table(network, child).reshape(-1, int(network.cards[child])).T,
                evidence=[names[p] for p in parents],
                evidence_card=[int(network.cards[p]) for p in parents],
                state_names={names[v]: states[v] for v in [child, *parents]},
            )
        )
    return graph


def to_bif(network: Network, coarsening: Coarsening, schema: Schema, path: Path) -> Path:
    """See ``BayesianNetwork.export_bif``."""
    reason = too_large(network, schema)
    if reason is not None:
        raise Unsupported(reason)
    parents = [tuple(c.parents.tolist()) for c in network.conditionals]
    tables = [_table(network, child) for child in range(schema.D)]
    path.write_text(bif.written(schema.names, state_names(coarsening, schema), parents, tables))
    return path


def too_large(network: Network, schema: Schema) -> str | None:
    """Why not all conditionals can be written as tables; None if they can."""
    for child, conditional in enumerate(network.conditionals):
        family = [*conditional.parents.tolist(), child]
        entries = float(np.prod(network.cards[family].astype(float)))
        if entries > LARGEST_TABLE:
            return (
                f"the table of {schema.names[child]!r} with its {len(family) - 1} parents would "
                f"have {entries:.4g} entries (at most {LARGEST_TABLE} are written): the graph "
                f"alone is given"
            )
    return None


def state_names(coarsening: Coarsening, schema: Schema) -> list[list[Any]]:
    """What the network calls the states of each variable."""
    return [
        [_state_name(v, coarsening.codes_of(d, state)) for state in range(int(coarsening.cards[d]))]
        for d, v in enumerate(schema.variables)
    ]


def _state_name(variable: Variable, codes: np.ndarray) -> Any:
    low, high = int(codes[0]), int(codes[-1])
    if variable.missing and low == variable.n_values:
        return "missing"
    if variable.edges is not None:
        if variable.quantity != "number":
            cells = times.cells_shown(variable)
            return f"{cells[low][0]} .. {cells[high][1]}"
        return f"{variable.edges[low]!r} .. {variable.edges[high + 1]!r}"

    def value(code: int) -> Any:
        if variable.categories is not None:
            return variable.categories[code]
        if variable.quantity != "number":
            return times.shown(variable, variable.on_grid(np.array([code])))[0]
        return variable.on_grid(np.array([code]))[0].item() if variable.is_grid else code

    return value(low) if low == high else f"{value(low)} .. {value(high)}"


def _table(network: Network, child: int) -> np.ndarray:
    """Masses of a child, one axis for each parent, in order, and its own axis last."""
    conditional = network.conditionals[child]
    cards = network.cards[conditional.parents].tolist()
    grid = np.indices(cards).reshape(len(cards), math.prod(cards)).T
    return np.exp(conditional.log_masses(grid)).reshape(*cards, -1)
