"""Files of text in the encodings that people have: read right, or asked about; never in silence."""

from __future__ import annotations

import pytest

from genzoo.datasets import own

WESTERN = ("Zürich;größe", "Besançon;mäßig", "Genève;15 °C", "Łódź;x")


@pytest.fixture
def read(tmp_path):
    def read_bytes(raw, name="a.csv", **options):
        (tmp_path / name).write_bytes(raw)
        return own.read(tmp_path / name, **options)

    return read_bytes


def table(pairs):
    return "name;kind;n\n" + "".join(f"{p};{i}\n" for i in range(20) for p in pairs)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_unicode(read, encoding):
    content = read(table(WESTERN).encode(encoding))
    assert content.data.name.tolist()[:4] == ["Zürich", "Besançon", "Genève", "Łódź"]
    assert list(content.data.columns) == ["name", "kind", "n"]
    unmarked = encoding in ("utf-16-le", "utf-16-be")
    assert any("no byte order mark" in remark for remark in content.remarks) == unmarked


def test_windows_1252_is_said_with_words(read):
    content = read(table(WESTERN[:3]).encode("cp1252"))
    assert content.data.name.tolist()[:3] == ["Zürich", "Besançon", "Genève"]
    (said,) = [remark for remark in content.remarks if "Windows-1252" in remark]
    assert "'Zürich'" in said
    assert "--encoding" in said


@pytest.mark.parametrize(
    ("encoding", "pairs"),
    [
        ("cp1251", ("Москва;Иванов", "Казань;Сидорова")),
        ("koi8_r", ("Москва;Иванов", "Казань;Сидорова")),
        ("cp1250", ("Łódź;żółty", "Kraków;mały", "Poznań;duży")),
        ("iso8859_2", ("Łódź;żółty", "Kraków;mały", "Poznań;duży")),
        ("cp932", ("東京;テスト", "大阪;日本語", "名古屋;データ")),
        ("gb18030", ("北京;数据", "上海;城市", "广州;测试")),
        ("big5", ("台北;資料", "高雄;城市")),
        ("euc_kr", ("서울;데이터", "부산;도시")),
        ("cp1253", ("Αθήνα;μικρό", "Πάτρα;μεγάλο")),
        ("cp1256", ("القاهرة;مدينة",)),
        ("cp850", ("Zürich;größe", "Genève;klein")),
        ("mac_roman", ("Zürich;größe", "Genève;klein")),
    ],
)
def test_other_encodings_are_asked_for_and_taken(read, encoding, pairs):
    raw = table(pairs).encode(encoding)
    with pytest.raises(ValueError, match=r"neither: give --encoding"):
        read(raw)
    content = read(raw, encoding=encoding)
    assert content.data.name.tolist()[: len(pairs)] == [p.partition(";")[0] for p in pairs]


def test_a_suggestion_shows_what_it_makes_of_the_words(read):
    raw = table(("Москва;Иванов", "Казань;Сидорова")).encode("cp1251")
    with pytest.raises(ValueError, match="--encoding cp1251, which makes 'Москва'"):
        read(raw)


@pytest.mark.parametrize(
    ("line", "byte", "sign"), [(3, b"\x92", "’"), (7, b"\xfc", "ü"), (2, b"\x81", "\ufffd")]
)
def test_one_bad_byte_is_said_and_the_rest_is_utf8(read, line, byte, sign):
    lines = table(WESTERN).encode().split(b"\n")
    lines[line - 1] = b"Z" + byte + b"rich;x;1"
    content = read(b"\n".join(lines))
    assert content.data.name[line - 2] == f"Z{sign}rich"
    assert content.data.name.tolist()[8:12] == ["Zürich", "Besançon", "Genève", "Łódź"]
    (said,) = [remark for remark in content.remarks if "UTF-8" in remark]
    assert f"one byte is no UTF-8 (line {line}, position 2)" in said


def test_bad_bytes_are_counted(read):
    lines = table(WESTERN).encode().split(b"\n")
    for i in range(4, 70, 7):
        lines[i] = b"Z\xfcrich;x;1"
    content = read(b"\n".join(lines))
    assert any("10 bytes are no UTF-8, the first in line 5" in r for r in content.remarks)
    assert set(content.data.name) == {"Zürich", "Besançon", "Genève", "Łódź"}


def test_zeros_are_taken_out(read):
    content = read(table(WESTERN).replace("Besançon", "Besan\0çon\0").encode())
    assert content.data.name[1] == "Besançon"
    assert "NUL bytes taken out: 40, the first in line 3" in content.remarks


@pytest.mark.parametrize(
    "raw",
    [
        bytes(range(256)) * 20,
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        bytes(400),
        b"\x7fELF\x02\x01\x01" * 9,
    ],
)
def test_binary_data(read, raw):
    with pytest.raises(ValueError, match="binary data"):
        read(raw)


def test_an_encoding_that_does_not_fit(read):
    with pytest.raises(ValueError, match=r"encoding: expected a text encoding .*got 'klingon'"):
        read(b"a,b\n1,2\n", encoding="klingon")
    with pytest.raises(ValueError, match=r"line 2, byte 1: .* is no text in ascii"):
        read("a,b\nä,2\n".encode(), encoding="ascii")
    with pytest.raises(ValueError, match="encoding: expected a file of text beside it"):
        read(b"PAR1", "a.parquet", encoding="cp1251")


def test_strings_and_json_have_encodings_too(read):
    assert read("Москва\nКазань\n".encode("cp1251"), "a.txt", encoding="cp1251").data == [
        "Москва", "Казань",
    ]  # fmt: skip
    raw = '{"a": "Москва"}\n'.encode("cp1251") * 5
    assert read(raw, "a.jsonl", encoding="cp1251").data.a[0] == "Москва"
