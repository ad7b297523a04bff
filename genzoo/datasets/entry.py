"""``Entry``: what is known of a data set before any of its files is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Literal, get_args

from genzoo.datasets.dataset import Dataset
from genzoo.datasets.files import Source

Layout = Literal["table", "sequence", "text", "image"]
LAYOUTS = get_args(Layout)


@dataclass(frozen=True)
class Entry:
    """A data set that has a key: what ``genzoo list`` tells, and how it is loaded.

    A module of data sets has a dict ``ENTRIES`` of them by key, which ``genzoo.keys`` names.

    Attributes:
        load: the function that takes the key and returns the Dataset; of a file that it reads it
            raises what ``genzoo.datasets.download.read`` does.
        shape: of an event.
        rows: how many there are of train, valid and test.
        licence: under which terms; of its files where there are any.
        files: what ``load`` reads from outside the package and the libraries below it.
        about: what it is, in a line.
        layout: how the variables lie together; ``"text"`` is a sequence whose rows are strings, of
            characters or of tokens.
        label: the class of each row: the name of its column.
        truth: whether the distribution that the rows were drawn from is known.
    """

    load: Callable[[str], Dataset]
    shape: tuple[int, ...]
    rows: tuple[int, int, int]
    licence: str = ""
    files: tuple[Source, ...] = ()
    _: KW_ONLY
    about: str
    layout: Layout = "table"
    label: str | None = None
    truth: bool = False

    def __post_init__(self) -> None:
        if self.files and not self.licence:
            object.__setattr__(self, "licence", self.files[0].licence)

    @property
    def raw_bytes(self) -> int:
        """The size of its files, uncompressed."""
        return sum(file.raw_bytes for file in self.files)
