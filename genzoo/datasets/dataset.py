"""``Dataset``: rows of codes in a fixed split, with what they mean and where they come from."""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from genzoo.datasets.blocks import blocks
from genzoo.seeding import check_seed, numpy_rng
from genzoo.space import forms
from genzoo.space.forms import Data, Form
from genzoo.space.schema import Schema
from genzoo.space.variable import MISSING

if TYPE_CHECKING:
    from genzoo.datasets.truth import Truth

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Rows of one schema in three parts: to train on, to select on, to be judged on.

    Attributes:
        name: what tables and reports call it.
        schema: what the codes mean.
        train: (n, D) int64 rows without ``MISSING``, at least one.
        valid, test: the same, but entries may be ``MISSING``: they are summed out (the end of a
            piece that fills no window). At least one row of each is complete.
        truth: the distribution that the rows were drawn from, where it is known.
        text: for text, ``{"train", "valid", "test"}`` to lists of str: the stretches that the rows
            were cut from.
        groups: for rows that are not independent, ``{"train", "valid", "test"}`` to (n,) integers
            or strings (kept as integers): which group (a piece of music, a customer) each row is
            from. No group is in two parts; standard errors are taken over groups. Where there is a
            text and no groups are given, rows are windows in its order, and their groups are blocks
            of consecutive ones (``genzoo.datasets.blocks``).
        label: the name of the last variable where that is the class of the row.
        source: where the rows come from and how they were split.
        licence: under which terms.
        clamped: per part, how many numbers lay beyond the schema's range (they have the end code)
            or between its grid points (they have the nearest).
        block: where groups are blocks of consecutive rows, the least number of rows of one.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    >>> rows = np.array([[0, 1], [1, 0], [1, 1]])
    >>> Dataset("mine", Schema.infer(rows), rows, rows[:1], rows[1:])
    Dataset('mine': table of 2, 3/1/2 rows)
    """

    name: str
    schema: Schema
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    truth: Truth | None = None
    text: dict[str, list[str]] | None = None
    groups: dict[str, np.ndarray] | None = None
    label: str | int | None = None
    source: str = ""
    licence: str = ""
    clamped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    block: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name: expected a string that is not empty; got {self.name!r}")
        if not isinstance(self.schema, Schema):
            raise ValueError(f"schema: expected a Schema; got {type(self.schema).__name__}")
        for part in SPLITS:
            given = getattr(self, part)
            rows = self.schema.check_rows(given, allow_missing=part != "train", name=part)
            object.__setattr__(self, part, np.ascontiguousarray(rows))
        if self.label is not None and self.schema.names[-1] != self.label:
            raise ValueError(
                f"label: expected the name of the last variable, {self.schema.names[-1]!r}; "
                f"got {self.label!r}"
            )
        if self.text is not None and not (
            isinstance(self.text, dict)
            and set(self.text) == set(SPLITS)
            and all(isinstance(s, str) for part in self.text.values() for s in part)
        ):
            raise ValueError("text: expected a dict of train, valid and test to lists of str")
        for part in SPLITS:
            if not len(self.complete(part)):
                raise ValueError(f"{part}: expected a row without MISSING; got none")
        if self.groups is None and self.text is not None:
            parts = {part: getattr(self, part) for part in SPLITS}
            order = {part: np.arange(len(rows)) for part, rows in parts.items()}
            groups, block = blocks(self.schema, parts, order)
            object.__setattr__(self, "groups", groups)
            object.__setattr__(self, "block", block)
        if self.groups is not None:
            object.__setattr__(self, "groups", self._checked_groups(self.groups))

    def _checked_groups(self, groups: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if not isinstance(groups, dict) or set(groups) != set(SPLITS):
            raise ValueError("groups: expected a dict of train, valid and test to arrays")
        checked = {part: np.asarray(groups[part]) for part in SPLITS}
        if all(found.dtype.kind in "UO" for found in checked.values()):
            # names become numbers, in their order
            names = np.unique(np.concatenate([found.astype(str) for found in checked.values()]))
            checked = {p: np.searchsorted(names, f.astype(str)) for p, f in checked.items()}
        for part, found in checked.items():
            n = len(getattr(self, part))
            if found.shape != (n,) or found.dtype.kind not in "iu":
                raise ValueError(
                    f"groups: expected an integer for each of the {n} {part} rows; "
                    f"got {found.dtype} {found.shape}"
                )
        for a, b in itertools.combinations(SPLITS, 2):
            shared = np.intersect1d(checked[a], checked[b])
            if len(shared):
                raise ValueError(
                    f"groups: expected each group in one part; {shared[0]} is in {a} and {b}"
                )
        return {part: found.astype(np.int64) for part, found in checked.items()}

    def complete(self, part: str) -> np.ndarray:
        """The rows of a part without ``MISSING``: what families select on and samples are compared
        with.

        >>> rows = np.array([[0, 1], [1, 0]])
        >>> data = Dataset("mine", Schema.infer(rows), rows, rows, np.array([[0, -1], [0, 1]]))
        >>> data.complete("test")
        array([[0, 1]])
        """
        rows, complete = getattr(self, part), self._is_complete(part)
        return rows if complete.all() else rows[complete]

    def complete_groups(self, part: str) -> np.ndarray | None:
        """(n,) the group of each row that ``complete`` gives, None where rows are independent.

        >>> rows, groups = np.array([[0, 1], [1, 0], [1, 1]]), np.array([7, 8, 9])
        >>> Dataset.from_data(rows, "mine", groups=groups).complete_groups("test").shape
        (1,)
        """
        return None if self.groups is None else self.groups[part][self._is_complete(part)]

    def _is_complete(self, part: str) -> np.ndarray:
        return (getattr(self, part) != MISSING).all(axis=1)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of the schema, the three parts, their text and their groups.

        >>> rows = np.array([[0, 1], [1, 0], [1, 1]])
        >>> a, b = (Dataset.from_data(rows, "mine", seed=seed) for seed in (0, 1))
        >>> len(a.fingerprint), a.fingerprint == b.fingerprint
        (64, False)
        """
        digest = hashlib.sha256(self.schema.to_json().encode())
        for part in SPLITS:
            rows = getattr(self, part)
            digest.update(f"{part} {rows.shape}".encode())
            digest.update(rows.astype("<i8", copy=False).data)
            for stretch in (self.text or {}).get(part, ()):
                digest.update(f"text {len(stretch)} {stretch}".encode())
            if self.groups is not None:
                digest.update(b"groups" + self.groups[part].astype("<i8", copy=False).data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        sizes = "/".join(str(len(getattr(self, part))) for part in SPLITS)
        shape = " x ".join(map(str, self.schema.event_shape))
        return f"Dataset({self.name!r}: {self.schema.layout} of {shape}, {sizes} rows)"

    @classmethod
    def from_data(
        cls,
        data: Data,
        name: str,
        label: str | int | None = None,
        valid: float = 0.1,
        test: float = 0.2,
        seed: int = 0,
        schema: Schema | None = None,
        *,
        groups: np.ndarray | None = None,
        time: np.ndarray | None = None,
        stratify: np.ndarray | None = None,
        fold: tuple[int, int] | None = None,
        source: str = "",
        licence: str = "",
    ) -> Self:
        """A data set from data of your own.

        Names, categories and grids come from all of the data, edges of numeric cells from the
        training rows alone.

        Args:
            data: a DataFrame (a NaN becomes the mark of a missing value), an integer array of codes
                (n, D), a list of str, or uint8 images (n, H, W), (n, C, H, W) or (n, H, W, C).
            name: what to call it.
            label: the column (for codes: its index) that holds the class of each row. It becomes
                the last variable, nominal, and the split is stratified by it; every class has a
                training row. Of numbers it may hold at most 1024 different ones, whole.
            valid, test: the shares of rows to select on and to be judged on; at least one row each.
            seed: of the split.
            schema: what the codes mean, with the label last; inferred where None.
            groups: (n,) integers, which group each row is from: no group is in two parts, and
                standard errors are taken over groups.
            time: (n,) numbers: the latest rows are the test rows, those before them the valid ones;
                standard errors are taken over blocks of rows that follow each other.
            stratify: (n,) classes: each part has its share of each.
            fold: ``(i, k)``: the test rows are the i-th of k parts (``test`` is not used), so that
                over the k folds every row is a test row once, and where ``k * valid`` is at most 1
                a valid row at most once. Not beside ``time``.
            source, licence: as in the attributes.

        At most one of ``groups``, ``time`` and ``stratify`` may be given. Beside ``groups`` or
        ``time`` the split is not stratified by the label.

        Raises:
            ValueError: naming the argument, what was expected and what came.

        >>> import pandas as pd
        >>> frame = pd.DataFrame({"class": [0, 1] * 50, "age": range(100)})
        >>> data = Dataset.from_data(frame, "mine", label="class")
        >>> data, data.schema.names
        (Dataset('mine': table of 2, 70/10/20 rows), ['age', 'class'])
        """
        if schema is not None and not isinstance(schema, Schema):
            raise ValueError(f"schema: expected a Schema; got {type(schema).__name__}")
        found = split_form(
            forms.read(data),
            label,
            valid=valid,
            test=test,
            seed=seed,
            fold=fold,
            groups=groups,
            time=time,
            stratify=stratify,
        )
        return cls.from_split(found, name, schema, source=source, licence=licence)

    @classmethod
    def from_split(
        cls,
        found: Split,
        name: str,
        schema: Schema | None = None,
        *,
        source: str = "",
        licence: str = "",
    ) -> Self:
        """A data set of data whose rows were split by ``split_form``; otherwise ``from_data``."""
        form, rule, index, has_label = found
        if schema is None:
            schema = Schema.infer(form, train=index[0])
        parts, clamped = coded_parts(schema, form, index)
        own = {name: in_parts(values, index)._asdict() for name, values in rule.items()}
        of_rows, block = own.get("groups"), None
        if "time" in own:
            of_rows, block = blocks(schema, parts._asdict(), own["time"])
        return cls(
            name,
            schema,
            *parts,
            groups=of_rows,
            block=block,
            label=(form.columns or schema.names)[-1] if has_label else None,
            source=source,
            licence=licence,
            clamped=clamped,
        )


class Parts(NamedTuple):
    """What belongs to the rows to train on, to select on and to be judged on."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


Index = tuple[np.ndarray, np.ndarray, np.ndarray]  # the places of train, valid and test rows


def in_parts(values: np.ndarray, index: Index) -> Parts:
    """What stands at the places of each part."""
    return Parts(*(values[places] for places in index))


class Split(NamedTuple):
    """Data whose rows are split: the label last, where they have one, the groups or times by which
    they are split, and the places of the rows of each part."""

    form: Form
    rule: dict[str, np.ndarray]
    places: Index
    has_label: bool


def split_form(
    form: Form,
    label: str | int | None = None,
    *,
    valid: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
    fold: tuple[int, int] | None = None,
    **rules: np.ndarray | None,
) -> Split:
    """Data with the places of the rows of each part; arguments as for ``Dataset.from_data``."""
    classes = None
    if label is not None:
        form, classes = form.with_label(label)
    rule = _checked_rules(len(form), **rules)
    classes = rule.pop("stratify", classes)
    index = split(
        len(form),
        valid=valid,
        test=test,
        seed=check_seed(seed),
        classes=classes,
        fold=fold,
        **rule,
    )
    return Split(form, rule, index, label is not None)


def coded_parts(schema: Schema, data: Data, index: Index) -> tuple[Parts, dict[str, int]]:
    """The complete rows of each part, and how many of its numbers have another's code."""
    form = forms.read(data)
    rows, moved = form.coded(schema)
    off = in_parts(moved, index)._asdict()
    counts = {part: int(found.sum()) for part, found in off.items()}
    return in_parts(schema.check_rows(rows, name="data"), index), counts


def _checked_rules(n: int, **rules: np.ndarray | None) -> dict[str, np.ndarray]:
    """What the n rows are split by, as far as it was given: at most one of the rules."""
    given = {name: values for name, values in rules.items() if values is not None}
    if len(given) > 1:
        first, second, *_ = given
        raise ValueError(f"{second}: expected None beside {first}: one rule for the split")
    return {name: _checked_rule(name, values, n) for name, values in given.items()}


def _checked_rule(name: str, values: np.ndarray, n: int) -> np.ndarray:
    """What the rows are split by, (n,): groups as integers, times as they are, classes as codes."""
    found = np.asarray(values)
    if found.shape != (n,):
        raise ValueError(f"{name}: expected one value for each of {n} rows; got {found.shape}")
    kinds = {"groups": "iu", "time": "iuf", "stratify": "iufbUO"}[name]
    if found.dtype.kind not in kinds or (found.dtype.kind == "f" and not np.isfinite(found).all()):
        what = {"groups": "integers", "time": "finite numbers", "stratify": "classes"}[name]
        raise ValueError(f"{name}: expected {what}; got {found.dtype} such as {found[0]!r}")
    return np.unique(found, return_inverse=True)[1] if name == "stratify" else found


def split(
    n: int,
    *,
    valid: float,
    test: float,
    seed: int,
    classes: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    time: np.ndarray | None = None,
    fold: tuple[int, int] | None = None,
) -> Index:
    """Indices of the train, valid and test rows among n, each part in random order.

    With ``classes`` (n,), every part has its share of every class to within a row, and where the
    training rows are at least as many as the classes, each class has one. With ``groups`` (n,), no
    group is in two parts, whose sizes are met as nearly as random groups can. With ``time`` (n,),
    the latest rows are test, those before them valid. With ``fold`` (i, k) the test rows are the
    i-th of k parts, whatever ``test`` says, and the valid rows are of the parts that follow it:
    folds whose valid rows were the same would all select on them. Where ``k * valid`` is at most 1
    no two folds share a valid row, else all rows are in about as many valid parts; as far as
    rare classes, of which each training part has a row, and groups of unequal sizes allow.

    >>> [len(part) for part in split(10, valid=0.1, test=0.2, seed=0)]
    [7, 1, 2]
    """
    if fold is not None:
        test = 1 / _check_fold(fold, time)[1]
    for name, share in (("valid", valid), ("test", test)):
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1:
            raise ValueError(f"{name}: expected a share of rows between 0 and 1; got {share!r}")
    if not valid + test < 1:
        raise ValueError(
            f"valid, test: expected shares that leave rows to train on (sum below 1); "
            f"got {valid} and {test}"
        )
    n_valid, n_test = max(1, round(valid * n)), max(1, round(test * n))
    if n_valid + n_test >= n:
        raise ValueError(
            f"data: expected enough rows for three parts; got {n}, of which {n_valid} would be "
            f"valid and {n_test} test"
        )
    rng = numpy_rng(seed, "split")
    if groups is not None:
        return _split_by_groups(groups, n_valid, n_test, rng, fold)
    if time is not None:
        order = np.argsort(time, kind="stable")
        ends = np.split(order, [n - n_test - n_valid, n - n_test])
        return rng.permutation(ends[0]), rng.permutation(ends[1]), rng.permutation(ends[2])
    order, kept = rng.permutation(n), np.empty(0, dtype=np.int64)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    if fold is not None:
        return _fold_by_turns(order, classes, n_valid, rng, fold)
    if classes is not None:
        first = np.append(True, np.diff(classes[order]) != 0)
        if len(order) - first.sum() >= n_valid + n_test:
            kept, order = order[first], order[~first]
    picked = []
    for count in (n_valid, n_test):
        at = _spread(count, len(order))
        picked.append(rng.permutation(order[at]))
        order = np.delete(order, at)
    return rng.permutation(np.concatenate([kept, order])), picked[0], picked[1]


def _spread(count: int, n: int) -> np.ndarray:
    """Every k-th of n places, ``count`` in all: of rows in order of class its share of each."""
    return ((np.arange(count) + 0.5) * n / count).astype(np.int64)


def _fold_by_turns(
    order: np.ndarray,
    classes: np.ndarray | None,
    n_valid: int,
    rng: np.random.Generator,
    fold: tuple[int, int],
) -> Index:
    """Rows in ``order``, that of their classes and the same for every fold, go to the folds' tests
    by turns; valid rows are of the turns that follow, whole ones before a part of one."""
    i, k = fold
    turn = (np.arange(len(order)) - i) % k  # 0: tested in this fold, 1: in the next one
    kept = np.zeros(len(order), dtype=bool)
    if classes is not None:
        # of each class the row that comes last as a valid one stays to train on
        others = np.flatnonzero(turn > 0)
        last = others[np.argsort(-turn[others], kind="stable")]
        first = last[np.unique(classes[order[last]], return_index=True)[1]]
        kept[first] = len(others) - len(first) >= n_valid
    is_valid = np.zeros(len(order), dtype=bool)
    for later in range(1, k):
        places = np.flatnonzero((turn == later) & ~kept)
        lacks = n_valid - is_valid.sum()
        is_valid[places if len(places) <= lacks else places[_spread(lacks, len(places))]] = True
    parts = ((turn > 0) & ~is_valid, is_valid, turn == 0)
    train, valid, test = (rng.permutation(order[part]) for part in parts)
    return train, valid, test


def _check_fold(fold: object, time: np.ndarray | None) -> tuple[int, int]:
    """(i, k), checked."""
    if not (
        isinstance(fold, tuple)
        and len(fold) == 2
        and all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in fold)
        and 0 <= fold[0] < fold[1]
        and fold[1] >= 2
    ):
        raise ValueError(f"fold: expected (i, k) with 0 <= i < k and k of at least 2; got {fold!r}")
    if time is not None:
        raise ValueError("fold: expected None beside time: the latest rows are the test rows")
    return int(fold[0]), int(fold[1])


def _split_by_groups(
    groups: np.ndarray,
    n_valid: int,
    n_test: int,
    rng: np.random.Generator,
    fold: tuple[int, int] | None,
) -> Index:
    """Each group, in random order, goes to the part that lacks most rows; no part stays empty.

    With folds the test parts are made like this, and the valid groups are of the next one.
    """
    _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    fewest = len(SPLITS) if fold is None else max(len(SPLITS), fold[1])
    if len(sizes) < fewest:
        raise ValueError(f"groups: expected at least {fewest}, one a part; got {len(sizes)}")
    order = rng.permutation(len(sizes))
    part = np.zeros(len(sizes), dtype=np.int64)
    if fold is not None:
        turn = (_fold_of(sizes, order, fold[1]) - fold[0]) % fold[1]
        part[turn == 0] = SPLITS.index("test")
        part[_valid_groups(sizes, order, turn, n_valid, fold[1])] = SPLITS.index("valid")
    else:
        lacks = np.array([len(groups) - n_valid - n_test, n_valid, n_test])
        empty = set(range(len(SPLITS)))
        for i, group in enumerate(order):
            open_parts = sorted(empty) if len(order) - i <= len(empty) else range(len(lacks))
            part[group] = max(open_parts, key=lambda p: lacks[p])
            lacks[part[group]] -= sizes[group]
            empty.discard(int(part[group]))
    train, valid, test = (
        rng.permutation(np.flatnonzero(part[member] == p)) for p in range(len(SPLITS))
    )
    return train, valid, test


def _fold_of(sizes: np.ndarray, order: np.ndarray, k: int) -> np.ndarray:
    """(G,) the fold in which each group is tested: in random order, the one with fewest rows."""
    fold, load = np.empty(len(sizes), dtype=np.int64), np.zeros(k)
    for group in order:
        fold[group] = load.argmin()
        load[fold[group]] += sizes[group]
    return fold


def _valid_groups(
    sizes: np.ndarray, order: np.ndarray, turn: np.ndarray, n_valid: int, k: int
) -> list[int]:
    """The groups to select on, of those tested in the next folds: what brings their rows nearer to
    ``n_valid``. ``turn`` (G,): how many folds later each group is tested, 0 in this one.

    Where all of them are too large the smallest is taken: other folds don't select on it. Only one
    that would be more than a third of the rows beside the test rows is passed over.
    """
    others = [int(g) for g in sorted(order, key=lambda g: turn[g]) if turn[g]]
    if len(others) < 2:
        raise ValueError(
            f"groups: expected at least 2 beside the test rows of each of {k} folds, to train and "
            f"to select on; got {len(others)}: one group may hold too many of the rows"
        )
    # so many folds hold the valid rows; n_valid is rounded, which is no reason for one more
    n_turns = math.ceil((n_valid - 0.5) * k / sizes.sum())
    found: list[int] = []
    lacks = n_valid
    for group in others:
        if turn[group] <= n_turns and sizes[group] < 2 * lacks and len(found) < len(others) - 1:
            found.append(group)
            lacks -= sizes[group]
    if found:
        return found
    rest = sizes[others].sum()
    small = [group for group in others if 3 * sizes[group] <= rest]
    return [min(small or others, key=lambda g: (turn[g], sizes[g]))]
