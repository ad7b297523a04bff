"""Whether the first record of a table holds names or values, and what stands around a table."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from genzoo.datasets.own.cells import HOLES, is_number

Verdict = Literal["names", "perhaps", "values"]
FEW_ROWS = 5  # below, nothing is said of a first record
SHARE = 0.9  # of the entries of a column that are written alike
MARGIN = 0.05  # of a column's range, within which a number of the first record could be a value
_YEAR = re.compile(r"(19|20)\d\d")
UNITS = frozenset(
    re.split(
        r"\s+",
        """mm cm m km g kg t mg µg ug s ms min h d °C °F C F K % ‰ € $ £ EUR USD CHF GBP V mV A mA W
        kW MW Wh kWh MWh J kJ MJ N Pa hPa kPa bar mbar psi l ml L mL m/s km/h mph mm/h W/m2 W/m²
        W/m^2 m2 m² m3 m³ km2 km² ha Hz kHz MHz ppm ppb years year days hours minutes seconds months
        Jahre Tage Stunden Stück Stk pcs lb lbs oz ft in inch deg ° mol mmol/l mg/l mg/dl µg/m3
        µg/m³ kg/m2 kg/m² dB px rpm pH""",
    )
)
TOTAL = re.compile(
    r"(grand[ -]?total|(sub)?totals?|sum|summe|gesamt(summe|ergebnis)?|insgesamt|"
    r"total g[ée]n[ée]ral|totale|totaal|totalt|somme|suma|soma|razem|итого|合計|总计|mean|average|"
    r"mittelwert|durchschnitt)\s*:?",
    re.IGNORECASE,
)
# what tools write below a table
CLOSING = re.compile(
    r"\(?\d+ (rows?|records?|lignes?|zeilen?|datens[äa]tze)( [\w ]*)?\.?\)?[\d. secin()]*|--.*|#.*|"
    r"\*{2,}.*|(end|eof|ende|end of (file|data|report|table))\b[^\w]*|"
    r"\(?(source|quelle|fuente|fonte|note|notes|hinweis|stand|legend|legende|generated|exported|"
    r"created|erstellt|report|bericht|copyright|©|data from|last (updated|modified))\b.*|"
    r"total (rows|records|count)\b.*|\(c\).*",
    re.IGNORECASE,
)


def judge(names: Sequence[str], columns: Sequence[Sequence[str]]) -> tuple[Verdict, list[str]]:
    """Whether the first record holds names, and those of its cells that look like values.

    A number where a column holds numbers around it, a text that recurs in its column, and a date
    above dates speak for values; a word above numbers or dates speaks for names. Numbers that count
    or rise evenly (2019, 2020; 0, 1, 2) are names as good as any.
    """
    if not columns or len(columns[0]) < FEW_ROWS:
        return "names", []
    values, n_names, numbers = [], 0, []
    for name, column in zip(names, columns, strict=True):
        present = [cell for cell in column if cell not in HOLES]
        if not present or name in HOLES:
            continue
        if sum(map(is_number, present)) >= SHARE * len(present):
            if not is_number(name):
                n_names += 1
            elif _is_within(name, present):
                numbers.append(name)
        elif (shape := _common_shape(present)) is not None:
            if _shape(name) == shape:
                values.append(name)
            n_names += not any(sign.isdigit() for sign in name)
        elif name in present:
            values.append(name)
        else:  # a word above few others, each of which recurs
            n_names += 5 * len(set(present)) <= len(present)
    texts, found = len(values), [_as_number(n) for n in numbers]
    if not _is_even(found):
        values += numbers
    rises = not texts and len(found) > 2 and all(a < b for a, b in itertools.pairwise(found))
    if not values or (len(values) <= n_names and not texts):
        return "names", []
    sure = n_names == 0 and not rises and (len(values) > 1 or len(names) <= 2)
    return ("values" if sure else "perhaps"), values


def _as_number(text: str) -> float:
    digits = re.sub(r"[^\d.,+\-eE]", "", text.replace("−", "-"))
    if "," in digits:
        digits = digits.replace(",", "" if "." in digits else ".")
    try:
        return float(digits)
    except ValueError:
        return float("nan")


def _is_within(name: str, present: Sequence[str]) -> bool:
    """Whether a number lies within those of its column; a year among other numbers is a name."""
    value, held = _as_number(name), sorted(map(_as_number, filter(is_number, present)))
    margin = MARGIN * (held[-1] - held[0])
    if _YEAR.fullmatch(name) and not 1800 <= held[0] <= held[-1] <= 2200:
        return False
    return not (value < held[0] - margin or value > held[-1] + margin)


def _is_even(numbers: Sequence[float]) -> bool:
    steps = {round(b - a, 9) for a, b in itertools.pairwise(numbers)}
    if len(numbers) == 2:
        return steps == {1.0}
    return len(numbers) > 2 and len(steps) == 1 and steps != {0.0}


def _shape(text: str) -> str:
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d", "9", text))


def _common_shape(present: Sequence[str]) -> str | None:
    """The shape of (nearly) all entries, if digits are in it: dates, codes."""
    shape, n = Counter(map(_shape, present)).most_common(1)[0]
    return shape if "9" in shape and n >= SHARE * len(present) else None


def are_units(cells: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Whether the record below the names holds units of the numbers below it."""
    known = 0
    for cell, column in zip(cells, columns, strict=True):
        present = [c for c in column if c not in HOLES]
        if len(present) < 3 or cell in HOLES:
            continue
        bare = cell.strip("[]() ")
        if sum(map(is_number, present)) < SHARE * len(present):
            if cell in present:
                return False
        elif bare in UNITS or (cell[:1] in "[(" and not is_number(bare)):
            known += 1
        else:
            return False
    return known > 0


def are_words_above_numbers(cells: Sequence[str], columns: Sequence[Sequence[str]]) -> int:
    """How many columns of numbers have a word in this record; 0 where one has a number."""
    words = 0
    for cell, column in zip(cells, columns, strict=True):
        present = [c for c in column if c not in HOLES]
        if len(present) >= 3 and sum(map(is_number, present)) >= SHARE * len(present):
            if is_number(cell):
                return 0
            words += cell not in HOLES
    return words


def are_above_numbers(cells: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Whether a record holds names beyond doubt: words, or years that are no values, where all
    columns of numbers have them."""
    n_above = 0
    for cell, column in zip(cells, columns, strict=False):
        present = [c for c in column if c not in HOLES]
        if len(present) >= 3 and sum(map(is_number, present)) >= SHARE * len(present):
            is_year = _YEAR.fullmatch(cell) is not None
            if cell in HOLES or (is_number(cell) and (not is_year or _is_within(cell, present))):
                return False
            n_above += 1
    return n_above > 0


def have_gaps(names: Sequence[str]) -> bool:
    """Whether names lack or repeat, as where cells of a sheet were merged."""
    return not all(names[1:]) or len(set(names)) < len(names)


def joined_names(names: Sequence[str], below: Sequence[str]) -> list[str]:
    found, last = [], ""
    for name, lower in zip(names, below, strict=True):
        last = name or last
        found.append(name if not lower or lower == name else f"{last} {lower}".strip())
    return found
