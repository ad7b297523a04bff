"""Text data sets in tokens: the same text, read by the token in place of the character."""

from __future__ import annotations

from dataclasses import replace

from genzoo.datasets import text
from genzoo.datasets.dataset import SPLITS, Dataset, Parts
from genzoo.datasets.entry import Entry
from genzoo.datasets.text import windows
from genzoo.space import characters
from genzoo.space.infer import END_NAME, sequence_of
from genzoo.space.schema import Schema
from genzoo.space.tokenizer import Tokenizer


def in_tokens(data: Dataset, vocab_size: int = 1024, *, name: str | None = None) -> Dataset:
    """The same text in tokens, byte-level BPE learned from its training part.

    Running text is cut into rows anew, of as many tokens as the rows have characters. Strings stay
    rows, split as they are; END follows the last token.

    A model of these rows is exact on rows of tokens, and a lower bound on text: a text has a
    canonical row of tokens, and others that spell it too (``genzoo.space.tokenizer``). So
    ``score_text`` is a bound, and nats per byte of the two views can be compared.

    Args:
        data: whose rows stand for strings, complete in all parts.
        vocab_size: how many tokens, the 256 bytes among them; fewer where no other pair stands
            twice in the training text. The default is the best of 512, 1,024 and 2,048 on the
            validation text of Tiny Shakespeare, for ``transformer`` (60 s) and ``ngram``, which was
            worse with 260 and 320 too.
        name: what to call it; ``"<name>_bpe"`` where None.

    Raises:
        ValueError: for rows that are no strings, or that are in tokens already.

    >>> import genzoo
    >>> data = genzoo.Dataset.from_data(["anna", "hanna", "joanna", "ann"] * 5, "mine")
    >>> tokens = in_tokens(data, 260)
    >>> tokens, tokens.schema.tokenizer.merges[0]
    (Dataset('mine_bpe': sequence of 3, 14/2/4 rows), ('a', 'n'))
    """
    if not isinstance(data, Dataset):
        raise ValueError(f"data: expected a Dataset; got {type(data).__name__}")
    schema = data.schema
    if schema.alphabet is None or schema.tokenizer is not None:
        got = "no strings" if schema.alphabet is None else "already in tokens"
        raise ValueError(f"data: expected rows of characters; those of {data.name} are {got}")
    for part in SPLITS:
        if len(data.complete(part)) < len(getattr(data, part)):
            raise ValueError(f"data: expected complete rows; some {part} rows hold MISSING")
    written = data.text if schema.end is None else None
    is_text = written is not None
    if written is None:
        written = {part: characters.texts(schema, getattr(data, part)) for part in SPLITS}
    tokenizer = Tokenizer.train(written["train"], vocab_size)
    read = {part: [tokenizer.encode(text) for text in written[part]] for part in SPLITS}
    symbols = tokenizer.symbols
    if is_text:
        for part in SPLITS:
            longest = max(map(len, read[part]), default=0)
            if longest < schema.D:
                raise ValueError(
                    f"data: expected text of at least {schema.D} tokens in a stretch of each part, "
                    f"for a row; got {longest} in {part}"
                )
        found = Schema(*sequence_of(symbols, schema.D), tokenizer=tokenizer)
        parts = Parts(*(windows(read[part], symbols, schema.D) for part in SPLITS))
    else:
        longest = max(len(row) for part in SPLITS for row in read[part])
        strings = sequence_of([*symbols, END_NAME], longest, end=len(symbols))
        found = Schema(*strings, tokenizer=tokenizer)
        parts = Parts(*(found.encode(read[part]) for part in SPLITS))
    return Dataset(
        name or f"{data.name}_bpe",
        found,
        *parts,
        text=data.text if is_text else None,
        groups=None if is_text else data.groups,
        source=f"{data.source}; in {len(symbols):,} tokens of byte-level BPE, learned from the "
        f"training part",
        licence=data.licence,
    )


def _view(name: str) -> Dataset:
    """The data set that a key with ``_bpe`` behind it is a view of, in tokens."""
    whole = name.removesuffix("_bpe")
    return in_tokens(text.ENTRIES[whole].load(whole))


def _entry(whole: str, length: int, rows: tuple[int, int, int]) -> Entry:
    """That of the view of a data set, in rows of so many tokens."""
    seen = text.ENTRIES[whole]
    return replace(seen, load=_view, shape=(length,), rows=rows, about=f"{seen.about}, in tokens")


ENTRIES = {
    "names_bpe": _entry("names", 8, (25627, 3203, 3203)),
    "tinyshakespeare_bpe": _entry("tinyshakespeare", text.WINDOW, (6058, 369, 772)),
}
