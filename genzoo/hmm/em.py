"""EM for chains of product emissions: hmmlearn's loop with a batched E-step."""

from __future__ import annotations

import numpy as np
from hmmlearn.base import BaseHMM, ConvergenceMonitor
from scipy import sparse

from genzoo.hmm.forward import Chain, Shape

ROWS = 256


class Packed:
    def __init__(self, shape, rows):
        n = len(rows)
        T, C = shape.steps.shape
        self.n = n
        G, M = len(shape.cards), int(shape.cards.max())
        lengths = np.full(n, T)
        if shape.end is not None:
            lengths = np.minimum(T, (np.cumsum(rows == shape.end, 1) == 0).sum(1) + 1)
            order = np.argsort(-lengths, kind="stable")
            rows, lengths = rows[order], lengths[order]
        codes = rows[:, shape.steps] + M * shape.tables[shape.steps]  # n T C
        self.chunks = []
        for f in range(0, n, ROWS):
            L = lengths[f:f+ROWS]
            m = (L[:, None] > np.arange(T)).sum(0)
            m = m[m > 0]
            flat = np.concatenate([codes[f:f+m[t], t] for t in range(len(m))])  # N, C
            N = len(flat)
            onehot = sparse.csr_matrix((np.ones(N*C), flat.ravel(), np.arange(0, N*C+1, C)), shape=(N, G*M))
            self.chunks.append((m, flat[:, 0] if C == 1 else None, onehot, onehot.T.tocsr()))
        self.GM = (G, M)


class ChainEM(BaseHMM):
    def __init__(self, shape, n_components, packed, chain, *, emission_prior, pseudo, trans_prior, n_iter, tol, monitor=None):
        super().__init__(n_components=n_components, n_iter=n_iter, tol=tol)
        self.shape, self.packed, self.chain = shape, packed, chain
        self.emission_prior, self.pseudo, self.trans_prior = emission_prior, pseudo, trans_prior
        if monitor: self.monitor_ = monitor

    def _init(self, X, lengths=None):
        self.startprob_, self.transmat_, self.emissionprob_ = self.chain.start.copy(), self.chain.transitions.copy(), self.chain.emissions.copy()

    def _check(self):
        pass

    def _do_estep(self, X, lengths):
        S = self.n_components
        G, M = self.packed.GM
        P = len(self.transmat_)
        start = np.zeros(S); trans = np.zeros((P, S, S)); emit = np.zeros((G*M, S))
        flatE = np.ascontiguousarray(self.emissionprob_.reshape(G*M, S))
        with np.errstate(divide="ignore"):
            logE = np.log(flatE)
        total = 0.0
        A = self.transmat_
        AT = np.ascontiguousarray(A.transpose(0, 2, 1))
        for m, first, onehot, onehotT in self.packed.chunks:
            if first is not None:
                b = flatE[first]
            else:
                b = onehot @ logE
                mx = b.max(1); b -= mx[:, None]; np.exp(b, out=b); total += mx.sum()
            T = len(m)
            off = np.concatenate([[0], np.cumsum(m)])
            a = np.empty_like(b); 
            c = np.empty(len(b))
            for t in range(T):
                sl = slice(off[t], off[t+1])
                if t == 0:
                    np.multiply(self.startprob_, b[sl], out=a[sl])
                else:
                    np.matmul(a[off[t-1]:off[t-1]+m[t]], A[t-1 if P > 1 else 0], out=a[sl])
                    a[sl] *= b[sl]
                c[sl] = a[sl].sum(1)
                a[sl] /= c[sl, None]
            total += np.log(c).sum()
            b /= c[:, None]
            beta = np.ones((m[0], S))
            for t in reversed(range(T)):
                sl = slice(off[t], off[t+1])
                if t:
                    w = b[sl]; w *= beta[:m[t]]
                    prev = a[off[t-1]:off[t-1]+m[t]]
                    trans[t-1 if P > 1 else 0] += prev.T @ w
                a[sl] *= beta[:m[t]] if t else beta
                if t:
                    np.matmul(w, AT[t-1 if P > 1 else 0], out=beta[:m[t]])
            start += a[:m[0]].sum(0)
            emit += onehotT @ a
        trans *= A
        return {"start": start, "trans": trans, "emit": emit.reshape(G, M, S), "nobs": self.packed.n}, total

    def _compute_lower_bound(self, lp):
        self.loglik = lp
        live = self.emissionprob_ > 0
        pr = np.sum(np.where(live, self.pseudo * self.emission_prior[..., None] * np.log(np.where(live, self.emissionprob_, 1)), 0))
        live = self.transmat_ > 0
        pr += self.trans_prior / self.n_components * np.sum(np.log(self.transmat_[live]))
        live = self.startprob_ > 0
        pr += self.trans_prior / self.n_components * np.sum(np.log(self.startprob_[live]))
        return lp + pr

    def _do_mstep(self, stats):
        S = self.n_components
        s = np.where(self.startprob_ > 0, stats["start"] + self.trans_prior / S, 0)
        self.startprob_ = s / s.sum()
        t = np.where(self.transmat_ > 0, stats["trans"] + self.trans_prior / S, 0)
        self.transmat_ = t / t.sum(2, keepdims=True)
        e = np.where(self.emissionprob_ > 0, stats["emit"] + self.pseudo * self.emission_prior[..., None], 0)
        self.emissionprob_ = e / e.sum(1, keepdims=True)
        self.occupancy = stats["emit"].sum((0, 1))

    @property
    def result(self):
        return Chain(self.shape, self.startprob_, self.transmat_, self.emissionprob_)
