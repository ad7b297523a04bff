"""Bytes as text: encodings, line ends, and what is no text at all."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# first bytes of files that are no text, what they are, and what to do
MAGIC = (
    (b"PK\x03\x04", "a ZIP archive (perhaps an .xlsx workbook)",
     "save the sheet as .csv, or unpack the archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (.xls)", "save the sheet as .csv"),
    (b"PAR1", "a parquet file", "call it .parquet"),
    (b"ARROW1", "a feather (Arrow) file",
     "save it as .parquet: pandas.read_feather(...).to_parquet(...)"),
    (b"\x89HDF", "an HDF5 file", "save its table as .parquet or .csv"),
    (b"SQLite format 3", "an SQLite database", "save a table of it as .csv"),
    (b"%PDF", "a PDF", "save its table as .csv"),
    (b"BZh", "data compressed by bzip2", "unpack it, or use gzip (.csv.gz)"),
    (b"\xfd7zXZ", "data compressed by xz", "unpack it, or use gzip (.csv.gz)"),
    (b"\x28\xb5\x2f\xfd", "data compressed by zstd", "unpack it, or use gzip (.csv.gz)"),
    (b"\x1f\x8b", "data compressed by gzip", "call it .csv.gz, .tsv.gz, ... after what it holds"),
)  # fmt: skip
MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml|table)\b", re.IGNORECASE)
# what is asked about before Windows-1252 is taken: encodings that files still come in
CANDIDATES = (
    "cp1251", "cp1250", "iso8859_2", "cp932", "gb18030", "big5", "cp949", "euc_jp", "cp1253",
    "cp1254", "cp1255", "cp1256", "koi8_r", "cp850", "mac_roman",
)  # fmt: skip
SAMPLE = 1 << 18  # bytes by which an encoding is judged
FEW_BYTES = 3  # so few that are no UTF-8 are slips, not an encoding
CONTROLS = bytes((*range(1, 9), *range(14, 32)))
# What Western words in Windows-1252 don't hold: three letters in a row with accents, a sign between
# two letters, an accented capital within a word.
_STRANGE = re.compile(
    r"[À-ÖØ-öø-ÿ]{3}|[^\W\d_][ƒ„†‡ˆ‰‹›‚˜¡¢£¤¥¦§¨©«¬®¯±²³¶¸¹»¼½¾¿÷×\xad]+[^\W\d_]|"
    r"[a-zß-ÿ][ŠŒŽŸÀ-ÖØ-Þ][a-z]|\ufffd|[¡-¿]{3}"
)
_WORD = re.compile(r"[^\s,;|\"'()]*[^\x00-\x7f][^\s,;|\"'()]*")
STRANGE_SHARE = 0.15  # of the words with signs beyond ASCII; above, it is not Windows-1252


def check_encoding(encoding: str) -> str:
    """The encoding, if Python knows it.

    Raises:
        ValueError: if not.
    """
    try:
        if not isinstance(encoding, str) or not codecs.lookup(encoding)._is_text_encoding:
            raise LookupError
    except LookupError:
        raise ValueError(
            f"encoding: expected a text encoding that Python knows, such as cp1251, latin-1, "
            f"shift_jis or gb18030; got {encoding!r}"
        ) from None
    return encoding


def decode(path: Path, raw: bytes, encoding: str | None = None) -> tuple[bytes, list[str]]:
    r"""The text of a file in UTF-8, each line ended by ``\n``, and what the reader should know.

    Args:
        path: for messages.
        raw: what the file holds.
        encoding: told by a byte order mark where None, else UTF-8 but for single bytes, else
            Windows-1252, if words come out that look like words.

    Raises:
        ValueError: for what is no text, or text in an encoding that has to be told.
    """
    for magic, what, advice in MAGIC:
        if raw.startswith(magic) and not (encoding and magic.isalnum()):
            raise ValueError(f"file: expected text; {path} holds {what}: {advice}")
    mark, told = next(((m, e) for m, e in BYTE_ORDER_MARKS if raw.startswith(m)), (b"", None))
    remarks: list[str] = []
    if encoding is not None:
        known = check_encoding(encoding)
        text = _strictly(path, raw, known).removeprefix("\ufeff").encode("utf-8", "replace")
    elif told is not None and told != "utf-8":
        text = _strictly(path, raw[len(mark) :], told).encode("utf-8", "replace")
    elif (wide := _without_mark(raw)) is not None:
        text = _strictly(path, raw, wide).encode("utf-8", "replace")
        remarks = [f"no byte order mark: read as {wide.upper()}"]
    else:
        text, remarks = _eight_bits(path, raw[len(mark) :])
    text, found = _without_controls(path, text)
    if MARKUP.match(text[:200]):
        raise ValueError(
            f"file: expected a table or lines of text; {path} holds a page of HTML or XML: save "
            f"the data as .csv"
        )
    return text, [*remarks, *found]


def _strictly(path: Path, raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line, place = _place(raw, error.start)
        raise ValueError(
            f"encoding: {path}, line {line}, byte {place}: {raw[error.start : error.end]!r} is no "
            f"text in {encoding}: {error.reason}"
        ) from None


def _place(raw: bytes, at: int) -> tuple[int, int]:
    """Line and position in it, both from 1, of a byte."""
    before = raw[:at].replace(b"\r\n", b"\n")
    if b"\n" not in raw:
        before = before.replace(b"\r", b"\n")
    return before.count(b"\n") + 1, len(before) - before.rfind(b"\n")


def _without_mark(raw: bytes) -> str | None:
    """UTF-16 without a byte order mark: every other byte is (nearly always) zero."""
    head = raw[: 1 << 14]
    n = len(head) // 2
    if n < 2:
        return None
    even, odd = head[0::2].count(0) / n, head[1::2].count(0) / n
    if max(even, odd) < 0.4 or min(even, odd) > 0.05:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _eight_bits(path: Path, raw: bytes) -> tuple[bytes, list[str]]:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return raw, []
    found = raw.decode("utf-8", "surrogateescape")
    bad = [match.start() for match in re.finditer("[\udc80-\udcff]", found)]
    good = len(found) - len(found.encode("ascii", "ignore")) - len(bad)
    # by chance, less than a quarter: measured on GB 18030
    if len(bad) <= FEW_BYTES or 2 * good >= len(bad):
        return _mended(found, bad)
    _check_controls(path, raw)
    return _windows(path, raw)


def _mended(found: str, bad: list[int]) -> tuple[bytes, list[str]]:
    """UTF-8 but for single bytes, which are read as Windows-1252 has them."""
    first = found[: bad[0]]
    ends = first.replace("\r\n", "\n")
    if "\n" not in found:
        ends = ends.replace("\r", "\n")
    line, place = ends.count("\n") + 1, len(ends) - ends.rfind("\n")
    byte = bytes([ord(found[bad[0]]) - 0xDC00])
    text = re.sub(
        "[\udc80-\udcff]",
        lambda m: bytes([ord(m[0]) - 0xDC00]).decode("cp1252", "replace"),
        found,
    )
    shown = re.split(r"[\s,;|]", text[max(0, bad[0] - 20) : bad[0] + 20])
    word = next((w for w in shown if text[bad[0]] in w), text[bad[0]])
    where = f"line {line}, position {place}"
    read = f"0x{byte.hex().upper()} read as {text[bad[0]]!r}, as in {word!r}"
    if len(bad) == 1:
        remark = f"one byte is no UTF-8 ({where}): {read}"
    else:
        remark = f"{len(bad)} bytes are no UTF-8, the first in {where}: {read}"
    return text.encode(), [f"{remark}; for another encoding of the file give --encoding"]


def _windows(path: Path, raw: bytes) -> tuple[bytes, list[str]]:
    sample = b"\n".join(_lines_with_accents(raw))
    text = sample.decode("cp1252", "replace")
    words = _WORD.findall(text)
    strange = sum(_STRANGE.search(word) is not None for word in words)
    if strange > STRANGE_SHARE * len(words):
        raise ValueError(
            f"file: expected text in UTF-8 or Windows-1252; {path} is in neither"
            f"{_suggestion(sample)}"
        )
    shown = ", ".join(map(repr, list(dict.fromkeys(words))[:3]))
    remark = (
        f"not in UTF-8: read as Windows-1252 (Latin-1), as in {shown}; for another encoding give "
    )
    return raw.decode("cp1252", "replace").encode(), [f"{remark}--encoding"]


def _lines_with_accents(raw: bytes) -> list[bytes]:
    found, size = [], 0
    for match in re.finditer(rb"[^\r\n]*[\x80-\xff][^\r\n]*", raw):
        found.append(match[0][:2000])
        size += len(found[-1])
        if size > SAMPLE:
            break
    return found


def _suggestion(sample: bytes) -> str:
    import charset_normalizer

    best = charset_normalizer.from_bytes(sample, cp_isolation=list(CANDIDATES)).best()
    if best is None:
        return ": give --encoding (cp1251, shift_jis, gb18030, ...)"
    text = sample.decode(best.encoding, "replace")
    shown = ", ".join(map(repr, list(dict.fromkeys(_WORD.findall(text)))[:3]))
    return (
        f": give --encoding (perhaps --encoding {best.encoding}, which makes {shown} of it; other "
        f"encodings: cp1251, shift_jis, gb18030, ...)"
    )


def _check_controls(path: Path, text: bytes) -> None:
    """That few signs are none of text: zeros apart, which pad text in files of fixed records."""
    rest = len(text) - text.count(0)
    controls = rest - len(text.translate(None, CONTROLS + b"\0"))
    if controls + text.count("\ufffd".encode()) > rest / 100 or (text and not rest):
        raise ValueError(f"file: expected text; {path} holds binary data")


def _without_controls(path: Path, text: bytes) -> tuple[bytes, list[str]]:
    _check_controls(path, text)
    text, remarks = _with_one_line_end(text), []
    if b"\0" in text:
        line = text[: text.index(0)].count(b"\n") + 1
        remarks = [f"NUL bytes taken out: {text.count(0)}, the first in line {line}"]
        text = text.replace(b"\0", b"")
    return text, remarks


def _with_one_line_end(text: bytes) -> bytes:
    if b"\r" not in text:
        return text
    text = re.sub(rb"\r+\n", b"\n", text)
    # where lines end otherwise, a single one is a blank within a line
    return text.replace(b"\r", b" " if b"\n" in text else b"\n")
