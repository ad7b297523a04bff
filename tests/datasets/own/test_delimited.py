"""Tables in text as people have them: every row arrives, and what is odd is said."""

from __future__ import annotations

import csv
import gzip
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genzoo.datasets import own
from genzoo.datasets.own.cells import Dialect, as_columns, by_arrow, by_line, is_plain

NAMES = ["no", "item", "stock", "price"]
N = 60


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    items, stock = rng.choice(["pipe", "valve", "bolt"], N), rng.integers(1, 20, N)
    price = rng.normal(5, 2, N)
    return [[str(i + 1), str(items[i]), str(stock[i]), f"{price[i]:.2f}"] for i in range(N)]


def as_text(rows, delimiter=",", names=NAMES, end="\n", trailing=""):
    lines = [names, *rows] if names else rows
    return "".join(delimiter.join(row) + trailing + end for row in lines)


@pytest.fixture
def read(tmp_path):
    def read_text(text, name="a.csv", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return own.read(path, **options)

    return read_text


def values(content):
    return content.data.to_numpy().tolist()


# -------------------------------------------------------------------------------- quotes


@pytest.mark.parametrize(("delimiter", "name"), [(",", "a.csv"), ("\t", "a.tsv"), (";", "a.csv")])
@pytest.mark.parametrize("mark", ['"{}', '3" {}', '{} 3"', '"big" {}', '"', '{} "a" x'])
def test_inch_marks_swallow_no_row(rows, read, delimiter, name, mark):
    for i in range(3, N, 7):
        rows[i][1] = mark.format(rows[i][1])
    content = read(as_text(rows, delimiter), name)
    assert values(content) == rows
    assert any("in 9 rows: line 5, 12, 19" in remark for remark in content.remarks)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"a ""big"" pipe"', 'a "big" pipe'),
        ('"a "big" pipe"', 'a "big" pipe'),
        (r'"a \"big\", pipe"', 'a "big", pipe'),
        ('"pipe, long"', "pipe, long"),
        ('"pipe\nof two lines"', "pipe\nof two lines"),
        ('"pipe, long\nof\n\nfour, lines"', "pipe, long\nof\n\nfour, lines"),
        ('""', None),
        ('"C:\\"', "C:\\"),
    ],
)
def test_texts_in_quotes(rows, read, written, meant):
    for i in range(3, N, 7):
        rows[i][1] = written
    content = read(as_text(rows))
    assert content.data.item[3::7].tolist() == [meant] * len(content.data.item[3::7])
    assert len(content.data) == N
    assert content.remarks == ()


@pytest.mark.parametrize("column", [0, 1, 3])
def test_a_pair_of_stray_quotes_joins_no_rows(rows, read, column):
    rows[5][column] = '"' + rows[5][column]
    rows[20][column] += '"'
    content = read(as_text(rows))
    assert values(content) == rows
    assert any("line 7, 22" in remark for remark in content.remarks)


def test_a_text_of_lines_that_look_like_rows_stays_one(read):
    out = io.StringIO()
    csv.writer(out).writerows([["n", "address"], *([i, f"No. {i}\nBern, CH"] for i in range(N))])
    content = read(out.getvalue())
    assert content.data.address.tolist() == [f"No. {i}\nBern, CH" for i in range(N)]


def test_a_quote_that_is_never_closed(rows, read):
    rows[30][1] = '"pipe'
    rows[N - 1][1] = '"bolt'
    assert values(read(as_text(rows))) == rows


def test_single_quotes(rows, read):
    quoted = [[a, f"'{b}, new'", c, d] for a, b, c, d in rows]
    content = read(as_text(quoted))
    assert content.data.item.tolist() == [f"{row[1]}, new" for row in rows]
    apostrophes = [[a, f"'s {b} 'n' all", c, d] for a, b, c, d in rows]
    assert values(read(as_text(apostrophes))) == apostrophes


cells = st.text(alphabet='ab", ;1é\u00a0\\\t|', max_size=5)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6
        )
    ),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(0, 10**6),
    st.sampled_from(["", "", '"', "\n"]),
)
def test_the_fast_reader_and_the_careful_one_agree(table, delimiter, quoting, place, more):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows(table)
    text = out.getvalue()[:-1]
    place %= len(text) + 1
    text = text[:place] + more + text[place:]
    dialect = Dialect(delimiter, '"', len(table[0]), (False,) * len(table[0]))
    if not text or not is_plain(text.encode(), dialect):
        return
    fast = by_arrow(text.encode(), dialect)
    if fast is None:  # ragged: the careful one is asked
        return
    careful = as_columns(list(by_line(text.split("\n"), dialect)), dialect.width)
    assert [list(column) for column in fast] == [list(column) for column in careful]


# -------------------------------------------------------------------------------- names


def test_values_in_the_first_line(rows, read):
    content = read(as_text(rows, names=None))
    assert values(content) == rows
    assert list(content.data.columns) == [f"column {d}" for d in (1, 2, 3, 4)]
    assert any("line 1 holds values" in r and "--no-header" in r for r in content.remarks)
    told = read(as_text(rows, names=None), header=False)
    assert values(told) == rows
    assert told.remarks == ()
    named = read(as_text(rows, names=None), header=True)
    assert list(named.data.columns) == rows[0]
    assert named.remarks == ()


def headerless(kind, rng):
    made = {
        "numbers": lambda: [f"{v:.3f}" for v in rng.normal(size=4)],
        "integers": lambda: [str(v) for v in rng.integers(0, 50, 4)],
        "texts": lambda: [str(rng.choice(["a", "b"])), str(rng.choice(["Oslo", "Rome"]))],
        "dates": lambda: [f"2020-0{rng.integers(1, 9)}-1{rng.integers(0, 9)}", "x"],
        "decimal commas": lambda: [f"{v:.2f}".replace(".", ",") for v in rng.normal(size=3)],
        "one column": lambda: [f"{rng.normal():.2f}"],
        "one text": lambda: [str(rng.choice(["x", "y"]))],
    }[kind]
    return [made() for _ in range(N)]


@pytest.mark.parametrize(
    "kind",
    ["numbers", "integers", "texts", "dates", "decimal commas", "one column", "one text"],
)
def test_no_header_is_never_silent(read, kind):
    table = headerless(kind, np.random.default_rng(3))
    content = read(as_text(table, ";", names=None))
    assert values(content) == table
    assert any("--no-header" in remark for remark in content.remarks)


@pytest.mark.parametrize(
    "names",
    [
        ["2019", "2020", "2021", "2022"], ["0", "1", "2", "3"], ["4.5", "5.5", "6.5", "7.5"],
        ["a", "b", "c", "d"], ["x1", "x2", "x3", "x4"], ["id", "10", "20", "50"],
        ["no", "1", "2", "3"],
    ],
)  # fmt: skip
def test_names_that_are_numbers_are_names(read, names):
    rng = np.random.default_rng(4)
    table = [[str(v) for v in rng.integers(0, 5000, 4)] for _ in range(N)]
    content = read(as_text(table, names=names))
    assert list(content.data.columns) == names
    assert not any("holds values" in remark for remark in content.remarks)


@pytest.mark.parametrize(
    "first", [["1", "2", "4"], ["a name", "-0.14", "a town"], ["rare", "x", "y"]]
)
def test_a_first_line_that_may_be_either_is_said(read, first):
    rng = np.random.default_rng(8)
    table = {
        "1": lambda i: [str(v) for v in rng.integers(0, 9, 3)],
        "a name": lambda i: [f"name {i}", f"{rng.normal():.2f}", f"town {i} {i}"],
        "rare": lambda i: [str(v) for v in rng.choice(["x", "y", "z"], 3)],
    }[first[0]]
    content = read(as_text([first, *map(table, range(N))], names=None))
    (said,) = [remark for remark in content.remarks if "line 1" in remark]
    assert "--no-header" in said


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([["ID", "Your item?", "How many?", "Price?"]], ["R", "Q1", "Q2", "Q3"]),
        ([["int", "text", "int", "float"]], NAMES),
        ([["ID", "Item?", "How many?", "Price?"], ["{x}", "{y}", "{z}", "{u}"]], NAMES),
    ],
)
def test_labels_below_the_names_are_no_rows(rows, read, labels, names):
    content = read(as_text([*labels, *rows], names=names))
    assert content.data.columns.tolist() == names
    assert values(content) == rows
    assert sum("where the rows below hold numbers: skipped" in r for r in content.remarks) == len(
        labels
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a~b\n" + "1~x\n2~y\n" * 20, "write a line sep=~ above the header"),
        ('"a,b"\n' + '"1,x"\n"2,y"\n' * 20, "take the quotes around whole lines away"),
    ],
)
def test_one_column_that_may_be_several_is_said(read, text, said):
    assert any(said in remark for remark in read(text).remarks)
    if "~" in text:
        assert read("sep=~\n" + text).data.columns.tolist() == ["a", "b"]


def test_backslashes_before_delimiters(rows, read):
    rows[7][1] = "pipe\\, long"
    assert read(as_text(rows)).data.item[7] == "pipe, long"


def test_numbers_as_names_above_texts_and_numbers_are_doubted_aloud(read):
    rng = np.random.default_rng(5)
    table = [[f"p{i}", *(str(v) for v in rng.integers(0, 200, 3))] for i in range(N)]
    content = read(as_text(table, names=["patient", "10", "20", "50"]))
    assert list(content.data.columns) == ["patient", "10", "20", "50"]


@pytest.mark.parametrize(("delimiter", "name"), [("\t", "a.tsv"), (",", "a.csv"), (" ", "a.dat")])
def test_row_names(rows, read, delimiter, name):
    table = [[f'"car {row[0]}"', f'"{row[1]}"', *row[2:]] for row in rows]
    content = read(as_text(table, delimiter, ['"item"', '"stock"', '"price"']), name)
    assert content.data.columns.tolist() == ["row name", "item", "stock", "price"]
    assert content.data["row name"].tolist() == [f"car {i + 1}" for i in range(N)]
    assert content.data.price.tolist() == [row[3] for row in rows]
    assert any("names of the rows" in remark for remark in content.remarks)


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ('no,item,"stock\n(pieces)",price', ["no", "item", "stock (pieces)", "price"]),
        ("no,item,stock,price\n,,Stk,EUR", NAMES),
        ("no,item,stock,price\n[-],,[mm],[kg]", NAMES),
        ("no,item,2020,\n,,stock,price", ["no", "item", "2020 stock", "2020 price"]),
    ],
)
def test_headers_of_two_lines(rows, read, head, names):
    content = read(head + "\n" + as_text(rows, names=None))
    assert content.data.columns.tolist() == names
    assert values(content) == rows
    assert content.remarks


def test_names_with_commas_between_semicolons(rows, read):
    names = ["no", "item, kind", "stock, pieces", "price, EUR"]
    table = [[*row[:3], row[3].replace(".", ",")] for row in rows]
    content = read(as_text(table, ";", names))
    assert content.data.columns.tolist() == names
    assert values(content) == table


# -------------------------------------------------------------------------------- around the rows


@pytest.mark.parametrize(
    ("above", "said"),
    [
        ("# drilled 2023\n# depth, in, metres, all\n", "skipped: 2 (line 1: '# drilled 2023'"),
        ("Survey of the bay\n\n", "line 1: 'Survey of the bay'"),
        ("Report,,,\n,,,\n", "skipped: 2"),
        ("Station,Bern\nHeight,540\n\n", "line 1: 'Station,Bern'"),
        ("Station:,Bern,,\nHeight:,540,,\n\n", "line 2: 'Height:,540,,'"),
        ("% a\n", "line 1: '% a'"),
        ('"A title, with comma"\n', "skipped: 1"),
    ],
)
def test_lines_above_the_header(rows, read, above, said):
    content = read(above + as_text(rows))
    assert content.data.columns.tolist() == NAMES
    assert values(content) == rows
    assert any(said in remark for remark in content.remarks)


@pytest.mark.parametrize(
    ("below", "said"),
    [
        ("Total,,500,80.5\n", "line 62: 'Total,,500,80.5'"),
        ("Total,500\n", "line 62"),
        ("\n(60 rows affected)\n", "line 63: '(60 rows affected)'"),
        ("-- end\n", "'-- end'"),
        (",,,\n,,,\n", "rows without a value at the end of the file skipped: 2"),
        (",,,\n" * 500, "rows without a value at the end of the file skipped: 500"),
        ("\nAll prices\nas of today\n", "skipped: 2 (line 63: 'All prices'"),
        ("Source: City office,,,\n", "'Source: City office,,,'"),
    ],
)
def test_lines_below_the_rows(rows, read, below, said):
    content = read(as_text(rows) + below)
    assert values(content) == rows
    assert any(said in remark for remark in content.remarks)


@pytest.mark.parametrize("trailing", [",", ",,,"])
@pytest.mark.parametrize("in_header", [True, False])
def test_delimiters_at_the_end_of_rows_are_no_columns(rows, read, trailing, in_header):
    text = as_text(rows, trailing=trailing)
    if not in_header:
        text = text.replace("price" + trailing, "price", 1)
    content = read(text)
    assert values(content) == rows
    assert any(f"left out: {len(trailing)}" in remark for remark in content.remarks)


def test_sep_names_the_delimiter(rows, read):
    for text in (
        "sep=;\n" + as_text(rows, ";"),
        "\ufeffsep=;\r\n" + as_text(rows, ";", end="\r\n"),
    ):
        content = read(text)
        assert content.data.columns.tolist() == NAMES
        assert values(content) == rows


def test_borders_are_no_rows(rows, read):
    body = "".join(" " + " | ".join(row) + " \n" for row in rows)
    for text in (
        " no | item | stock | price \n----+------+----+----\n" + body + "(60 rows)\n",
        "| no | item | stock | price |\n|---|---|---|---|\n"
        + "".join(f"| {' | '.join(row)} |\n" for row in rows),
        "+--+--+--+--+\n| no | item | stock | price |\n+--+--+--+--+\n"
        + "".join(f"| {' | '.join(row)} |\n" for row in rows) + "+--+--+--+--+\n",
    ):  # fmt: skip
        content = read(text)
        assert content.data.columns.tolist() == NAMES
        assert values(content) == rows


def test_a_header_again_and_blank_rows_between(rows, read):
    content = read(as_text(rows[:30]) + as_text(rows[30:]))
    assert values(content) == rows
    assert "rows that repeat the header skipped: 1" in content.remarks
    content = read(as_text(rows[:30]) + ",,,\n" + as_text(rows[30:], names=None))
    assert values(content) == rows
    assert "rows without a value skipped: 1" in content.remarks


def test_rows_of_holes_are_rows_where_every_column_has_holes(read):
    rng = np.random.default_rng(6)
    table = [["" if rng.random() < 0.5 else "1" for _ in range(3)] for _ in range(200)] + [
        ["1"] * 3
    ]
    content = read(as_text(table, names=["a", "b", "c"]))
    assert values(content) == [[cell or None for cell in row] for row in table]
    assert content.remarks == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("\n5,", "\n5,more,"), "line 6: expected 4 values, as in the header; got 5"),
        (("\n5,", "\n"), "line 6: expected 4 values, as in the header; got 3"),
        (("\n59,", "\nx\n59,"), "line 60: expected 4 values, as in the header; got 1"),
        (("no,item,stock,price", "no,item"), "line 1: expected 4 names of columns.*--no-header"),
        (("price", "price,more"), "line 1: expected 4 names of columns, .*got 5"),
        (("stock", "item"), r"got 'item' more than once \(columns 2, 3\).*--no-header"),
    ],
)
def test_what_can_not_be_inferred_is_an_error_that_names_the_line(rows, read, change, message):
    with pytest.raises(ValueError, match=message):
        read(as_text(rows).replace(*change))


# -------------------------------------------------------------------------------- delimiters


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", "   "])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.dat", "a.csv.gz"])
def test_the_delimiter_is_found_whatever_the_suffix(rows, read, delimiter, name):
    text = as_text(rows, delimiter).encode()
    content = read(gzip.compress(text) if name.endswith("gz") else text, name)
    assert values(content) == rows
    usual = {"a.csv": ",", "a.csv.gz": ",", "a.tsv": "\t", "a.dat": delimiter}[name]
    assert any("separated by" in r for r in content.remarks) == (delimiter != usual)


def test_numbers_with_decimal_commas_are_not_cut(read):
    one = read("wert\n" + "".join(f"{i},{i % 7}5\n" for i in range(N)))
    assert one.data.wert[3] == "3,35"
    two = read("a;b\n" + "".join(f"{i},5;{i % 7},25\n" for i in range(N)))
    assert values(two)[8] == ["8,5", "1,25"]


def test_aligned_columns(rows, read):
    text = "".join("".join(f"{cell:>10}" for cell in row) + "\n" for row in [NAMES, *rows])
    assert values(read(text)) == rows
    spaced = [[row[0], row[1] + " new", *row[2:]] for row in rows]
    text = "".join("".join(f"{cell:<12}" for cell in row) + "\n" for row in [NAMES, *spaced])
    assert values(read(text)) == spaced
    spaced[4][1] = ""
    text = "".join("".join(f"{cell:<12}" for cell in row) + "\n" for row in [NAMES, *spaced])
    with pytest.raises(ValueError, match="columns of a fixed width"):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        "full name\n" + "".join(f"Anna B{i}\n" for i in range(N)),
        "text\n" + "".join(f'"Hello, my friend {i}"\n' for i in range(N)),
        "text\n" + "".join(f"one, two{', three' * (i % 4)}\n" for i in range(N)),
    ],
)
def test_one_column_of_words_is_not_cut(read, text):
    assert read(text).data.shape == (N, 1)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\r\r\n"])
def test_line_ends(rows, read, end):
    content = read(as_text(rows, end=end))
    assert values(content) == rows
    assert content.remarks == ()


# -------------------------------------------------------------------------------- other files


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"PK\x03\x04", "save the sheet as .csv"),
        ("a.csv", b"PK\x03\x04" + bytes(50), "ZIP archive .*save the sheet as .csv"),
        ("a.csv", gzip.compress(b"a,b\n1,2\n", mtime=0), "call it .csv.gz"),
        ("a.csv.gz", b"a,b\n1,2\n", "can't be read"),
        ("a.parquet.gz", b"", "expected .csv, "),
        ("a.json", b"[]", "expected objects with keys; .*a.json has none"),
        ("a.csv", b'[{"a": 1},\n{"a": 2}]', "call it .jsonl"),
        ("a.csv", b"<!DOCTYPE html>\n<html>", "page of HTML"),
        ("a.feather", b"ARROW1", "to_parquet"),
        ("a.csv", b"a,b\n", "expected rows below the header"),
        ("a.csv", b"a\n", "expected rows below the header"),
    ],
)
def test_files_of_other_kinds_say_what_to_do(read, name, content, message):
    with pytest.raises(ValueError, match=message):
        read(content, name)


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a.parquet"])
def test_a_header_belongs_to_delimited_text(read, name):
    with pytest.raises(ValueError, match=r"header: expected delimited text .*beside it; got .*a\."):
        read("x\n", name, header=False)


@pytest.mark.parametrize(
    ("line", "hinted"),
    [
        ("{i},pipe,{i}5", True), ("{i}\tpipe", True), ("{i};pipe;x", True), ("{i} {i} 3", True),
        ("Anna,Bern,x{i}", True), ("Hello, my friend {i}", False), ("So it is; he said {i}", False),
        ("I saw {i} cats", False), ("anna", False), ("one, two, three", False),
    ],
)  # fmt: skip
def test_a_table_among_strings_is_hinted_at(read, line, hinted):
    content = read("".join(line.format(i=i) + "\n" for i in range(N)), "a.txt")
    assert len(content.data) == N
    assert any("to read it as one call it" in remark for remark in content.remarks) == hinted


# -------------------------------------------------------------------------------- as data sets


def test_distinct_rows_do_not_repeat(tmp_path):
    x = np.random.default_rng(7).normal(size=3000)
    path = tmp_path / "a.csv"
    path.write_text("x,kind\n" + "".join(f"{v!r},{'ab'[v > 0]}\n" for v in x.tolist()))
    assert not any("test rows" in remark for remark in own.load(path).remarks)
    path.write_text("x,kind\n" + "".join(f"{v!r},{'ab'[v > 0]}\n" for v in [*x.tolist()] * 2))
    (said,) = [remark for remark in own.load(path).remarks if "test rows" in remark]
    # of a pair the other row is among the training rows with 70 %: 1200 test rows, +- 6 sd
    n = int(said.split()[0])
    assert abs(n - 840) < 6 * np.sqrt(1200 * 0.7 * 0.3)


def test_options_of_reading_are_options_of_the_data_set(rows, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(as_text(rows, names=None).replace("pipe", "труба").encode("cp1251"))
    data = own.load(path, encoding="cp1251", header=False)
    assert data.options == {"encoding": "cp1251", "header": False}
    # the first column counts the rows
    assert data.schema.names == ["column 2", "column 3", "column 4"]
    assert "труба" in data.schema.variables[0].categories
    folds = own.folds_of(data, 3)
    assert [fold.options for fold in folds] == [data.options] * 3
