"""EM in hidden trees, in steps as small as one likes.

An E-step counts, for some rows, how often each pair of neighbouring states and each pair of a state
and its variable's code is to be expected. A step of size eta moves the model's own expectations
that far towards these counts:

    A_t[i, j]  prop.  (1 - eta) p(z_parent = i) A_t[i, j]  +  eta (count_t[i, j] + prior) / n

With eta = 1 and all rows that is an iteration of EM, of maximum posterior density with a Dirichlet
prior. With fewer rows it is the mini-batch EM of Liu, Shao & Van den Broeck (2025): what a batch
says nothing of, a state that none of its rows is in, stays as it was. A fixed point is one of EM,
whatever the step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from genzoo.models.circuit.hidden import HiddenTree
from genzoo.models.circuit.tree import Tree
from genzoo.space.blocks import blocks

FLOAT = np.float32  # of the E-step: its errors, of 1e-6, are far below what EM stops at
# No probability falls below it but those that are 0. So a code's mass times a transition is a
# number of single precision, and a state that all below a node leaves with less than such numbers
# is one that no transition of its parent's makes count.
LEAST = 1e-18
CELLS_AT_ONCE = 1 << 23  # states of rows in an array of the E-step, 32 MiB: there are three


@dataclass(frozen=True, eq=False)
class Prior:
    """Pseudo-counts, in rows.

    Attributes:
        edges: (D, S, S) as ``HiddenTree.edges``; 0 where nothing can be.
        masses: (P, S) as ``HiddenTree.masses``.
    """

    edges: np.ndarray
    masses: np.ndarray


def step(
    model: HiddenTree, places: np.ndarray, weights: np.ndarray, prior: Prior, n: float, eta: float
) -> tuple[HiddenTree, float]:
    """A step of EM.

    Args:
        model: in single precision.
        places: (D, B) the rows of a batch, as of ``HiddenTree.places``.
        weights: (B,) how often each was seen.
        prior: for all n rows.
        n: rows that the prior stands beside.
        eta: in (0, 1], how far to go.

    Returns:
        The next estimate, and the log-likelihood of the present one, in nats of the weighted batch.
    """
    edges, masses, log_likelihood = expected(model, places, weights)
    share = eta / float(weights.sum())
    before = (1 - eta) * states_of(model)  # (D, S)
    above = before[np.maximum(model.tree.parents, 0)]
    edges = share * edges + above[:, :, None] * model.edges + (eta / n) * prior.edges
    root = edges[0].sum(axis=0)  # all rows of the root's are one
    edges[0] = root
    variable = np.repeat(np.argsort(model.tree.variables), model.cards)  # the node of each code
    masses = share * masses + before[variable] * model.masses + (eta / n) * prior.masses
    edges /= edges.sum(axis=2, keepdims=True)
    masses /= np.repeat(np.add.reduceat(masses, model.first[:-1]), model.cards, axis=0)
    for new, old in ((edges, model.edges), (masses, model.masses)):
        np.maximum(new, LEAST, out=new, where=old > 0)
    return HiddenTree(model.tree, model.cards, edges, masses), log_likelihood


def expected(
    model: HiddenTree, places: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """The E-step.

    Returns:
        Expected counts of ``edges`` (D, S, S) and ``masses`` (P, S), and the log-likelihood in nats
        of the rows at ``places`` (D, B), of ``weights`` (B,).
    """
    D, n = places.shape
    edges, masses = np.zeros_like(model.edges), np.zeros_like(model.masses)
    size, total = max(1, CELLS_AT_ONCE // (D * model.S)), 0.0
    for i in range(0, n, size):
        total += _count(model, places[:, i : i + size], weights[i : i + size], edges, masses)
    edges *= model.edges
    return edges, masses, total


def _count(
    model: HiddenTree,
    places: np.ndarray,
    weights: np.ndarray,
    edges: np.ndarray,
    masses: np.ndarray,
) -> float:
    """Add a block's counts to these, those of ``edges`` still to be multiplied by the transitions;
    its log-likelihood in nats."""
    tree, up = model.tree, model.upward(places)
    np.maximum(up.told, np.finfo(up.told.dtype).tiny, out=up.told)  # of states that can't be
    posterior = np.empty_like(up.own)  # (D, B, S), each row's as often as it was seen
    for level in tree.levels:
        ratio = up.told[level]  # p(state of the parent | row) over what the node told of it
        if level.start > 0:
            np.divide(posterior[tree.parents[level]], ratio, out=ratio)
        else:
            first = weights / ratio[0, :, 0]
            ratio[:] = 0.0
            ratio[0, :, 0] = first
        edges[level] += ratio.transpose(0, 2, 1) @ up.own[level]
        np.matmul(ratio, model.edges[level], out=posterior[level])
        posterior[level] *= up.own[level]
    N = places.size
    ones = np.ones(N, dtype=posterior.dtype)
    shape = (len(masses) + 1, N)
    one_hot = sparse.csc_matrix((ones, places.ravel(), np.arange(N + 1)), shape=shape)
    masses += (one_hot @ posterior.reshape(N, model.S))[:-1]
    return float(weights @ up.log_mass)


def states_of(model: HiddenTree) -> np.ndarray:
    """(D, S) the share of each node's states."""
    tree, states = model.tree, np.empty(model.edges.shape[:2], dtype=model.edges.dtype)
    states[0] = model.edges[0, 0]
    for level in tree.levels[1:]:
        above = states[tree.parents[level]]
        states[level] = np.matmul(above[:, None, :], model.edges[level])[:, 0]
    return states


def product(tree: Tree, cards: np.ndarray, marginals: np.ndarray, end: int | None) -> HiddenTree:
    """One state a node, or beside it a second one of strings that have ended: it emits END alone,
    which the other doesn't, and is left never.

    Args:
        marginals: (P,) masses of the codes, where they are reached.
    """
    if end is None:
        return HiddenTree(tree, cards, np.ones((len(cards), 1, 1)), marginals[:, None])
    tables = marginals.reshape(len(cards), -1)  # one alphabet
    ends = tables[:, end].copy()
    edges = np.zeros((len(cards), 2, 2))
    edges[:, 0, 0], edges[:, 0, 1], edges[:, 1, 1] = 1 - ends, ends, 1.0
    edges[0, 1] = edges[0, 0]
    masses = np.zeros((*tables.shape, 2))
    masses[:, :, 0] = tables / (1 - ends)[:, None]
    masses[:, end] = [0.0, 1.0]
    return HiddenTree(tree, cards, edges, masses.reshape(-1, 2))


def copied(model: HiddenTree, S: int, near: float, ended: bool) -> HiddenTree:
    """The same distribution with S copies of the states, numbered in turn.

    Args:
        S: at least as many as there are.
        near: in [0, 1], the share of a state's transitions that stays with copies of one number,
            so that a number has a meaning all over the tree; the rest goes to all copies alike.
        ended: whether the last state is that of strings that have ended, which has no copies.
    """
    own = model.S - ended
    mark = [own] * ended
    of = np.append(np.arange(S) % own, mark).astype(np.int64)  # what each is a copy of
    number = np.append(np.arange(S) // own, mark).astype(np.int64)
    copies = np.bincount(of)[of]
    exists = number[:, None] < np.where(of == own, 0, copies)
    same = number[:, None] == number
    edges = np.empty((len(model.edges), len(of), len(of)))
    for part in blocks(len(edges), edges[0].size):
        before = model.edges[part][:, of[:, None], of]
        even = before / copies
        edges[part] = near * np.where(exists, before * same, even) + (1 - near) * even
    edges[0] = model.edges[0][of[:, None], of] / copies
    return HiddenTree(model.tree, model.cards, edges, model.masses[:, of])


def split(
    model: HiddenTree, S: int, near: float, noise: float, ended: bool, rng: np.random.Generator
) -> HiddenTree:
    """``copied``, each copy's log masses moved by normal noise of this standard deviation."""
    model = copied(model, S, near, ended)
    moved = model.masses * np.exp(noise * rng.normal(size=model.masses.shape))
    totals = np.add.reduceat(moved, model.first[:-1])
    masses = moved / np.repeat(totals, model.cards, axis=0)
    return HiddenTree(model.tree, model.cards, model.edges, masses)
