"""Reading a path: tables (.csv, .parquet, .jsonl, ...), strings (.txt), folders of images."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.datasets.own import typed_files
from genzoo.datasets.own.delimited import read_delimited
from genzoo.datasets.own.images import of_images
from genzoo.datasets.own.strings import of_strings
from genzoo.datasets.own.text import check_encoding, decode
from genzoo.datasets.own.texts import array_of, is_text
from genzoo.spelling import did_you_mean_path

if TYPE_CHECKING:
    import pandas as pd

DELIMITED = (".csv", ".tsv", ".tab", ".psv", ".dat", ".data")
JSON = (".jsonl", ".ndjson", ".json")
SUFFIXES = (*DELIMITED, ".parquet", *JSON, ".txt")
GZIP = ".gz"  # after any suffix of text
OTHERS = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods"), "save the sheet as .csv"),
    **dict.fromkeys((".zip", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz", ".zst"),
                    "unpack it, or compress a .csv with gzip (.csv.gz)"),
    **dict.fromkeys((".feather", ".arrow", ".ipc", ".orc", ".h5", ".hdf5", ".pkl", ".pickle"),
                    "save it as .parquet (in pandas: to_parquet)"),
    **dict.fromkeys((".sav", ".sas7bdat", ".xpt", ".dta", ".rds", ".rdata", ".mat", ".arff"),
                    "save it as .csv or .parquet"),
    **dict.fromkeys((".npy", ".npz"), "give the array to genzoo.compare in Python"),
    **dict.fromkeys((".html", ".htm", ".xml", ".pdf", ".docx", ".md"), "save its table as .csv"),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3"), "save a table of it as .csv"),
    **dict.fromkeys((".png", ".jpg", ".jpeg"), "give a folder of images of one size"),
}  # fmt: skip


@dataclass(frozen=True)
class Content:
    """What a path holds.

    Attributes:
        path: where it was read.
        data: a DataFrame (text entries without blanks at their ends, None where there are none;
            or typed values), a list of str, or uint8 images (n, H, W) or (n, 3, H, W).
        remarks: what the reader should know.
    """

    path: Path
    data: Any
    remarks: tuple[str, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the data, in hexadecimal: as it is before columns are treated and rows split,
        so that one can tell what of a data set changed."""
        if isinstance(self.data, list):
            parts: Iterable[Any] = [json.dumps(self.data).encode()]
        elif isinstance(self.data, np.ndarray):
            parts = [repr(self.data.shape).encode(), self.data.tobytes()]
        else:
            names = json.dumps([str(name) for name in self.data.columns])
            parts = chain([names.encode()], *(_bytes_of(self.data[c]) for c in self.data.columns))
        found = hashlib.sha256()
        for part in parts:
            found.update(part)
        return found.hexdigest()

    def row_hashes(self, columns: Sequence[str], places: np.ndarray | slice) -> np.ndarray:
        """A number for each of the rows of a table at ``places``: equal for rows that are equal in
        ``columns``, and for others once in 2**64 pairs."""
        import pandas as pd

        rows = self.data[list(columns)].iloc[places]
        return pd.util.hash_pandas_object(rows, index=False).to_numpy()


def _bytes_of(values: pd.Series) -> Iterator[Any]:
    """What a column holds: of text its characters, else a number for each value."""
    import pandas as pd

    if is_text(values):
        yield from (buffer for buffer in array_of(values).buffers() if buffer is not None)
    else:
        yield pd.util.hash_pandas_object(values, index=False).to_numpy().tobytes()


def names_a_path(name: object) -> bool:
    """Whether an argument is meant as a path: by its type, its ending, or because it is there."""
    if isinstance(name, Path):
        return True
    return isinstance(name, str) and (
        name.lower().removesuffix(GZIP).endswith(SUFFIXES) or (name != "" and Path(name).exists())
    )


def read(path: str | Path, *, encoding: str | None = None, header: bool | None = None) -> Content:
    """The content of a file or folder.

    Args:
        path: see ``load``.
        encoding: of text; found where None.
        header: whether the first line of delimited text holds names; judged by it where None.

    Raises:
        ValueError: naming the path, what was expected and what came.
    """
    path = Path(path)
    kind = Path(path.stem).suffix.lower() if _is_packed(path) else path.suffix.lower()
    if header is not None and kind not in DELIMITED:
        raise ValueError(
            f"header: expected delimited text ({', '.join(DELIMITED)}) beside it; got {path}"
        )
    if encoding is not None:
        check_encoding(encoding)
        if kind not in SUFFIXES or kind == ".parquet":
            raise ValueError(f"encoding: expected a file of text beside it; got {path}")
    if kind not in SUFFIXES and path.is_dir():
        return Content(path, *of_images(path))
    if not path.exists():
        hint = did_you_mean_path(path)
        raise ValueError(f"file: expected a file or a folder; there is no {path}{hint}")
    if path.is_dir():
        raise ValueError(
            f"file: expected a file; {path} is a folder (Spark and Dask write a table's parts into "
            f"one): give one of its files, or join them"
        )
    if kind not in SUFFIXES or (kind == ".parquet" and _is_packed(path)):
        advice = f": {OTHERS[kind]}" if kind in OTHERS else ""
        raise ValueError(
            f"file: expected {', '.join(SUFFIXES)} or a folder of images; got {path}{advice}"
        )
    try:
        if kind == ".parquet":
            return Content(path, *typed_files.of_parquet(path))
        raw = path.read_bytes()
        if _is_packed(path):
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"file: {path} can't be read: {reason}") from None
    text, remarks = decode(path, raw, encoding)
    del raw
    if not text.strip():
        raise ValueError(f"file: expected rows; {path} is empty")
    if kind == ".txt":
        return Content(path, *of_strings(path, text.decode(), remarks))
    if kind in JSON:
        return Content(path, *typed_files.of_jsonl(path, text.decode(), remarks))
    frame, found = read_delimited(path, text, header)
    return Content(path, frame, (*remarks, *found))


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == GZIP
