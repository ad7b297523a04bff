"""A saved winner gives the data back, and scores its own samples, as CSV too."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import genzoo
from genzoo.cli.app import app

N = 240


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 700, N), unit="D")
    kids = rng.integers(0, 5, N).astype(float)
    kids[:30] = np.nan
    return pd.DataFrame(
        {
            "id": np.arange(1, N + 1),
            "when": days.strftime("%d.%m.%Y"),
            "price": [f"${x:,.2f}" for x in rng.gamma(2, 900, N)],
            "kids": pd.array(kids, dtype="Int64"),
            "plz": [f"0{k}" for k in rng.choice([1067, 4109], N)],
            "town": rng.choice([f"t{i}" for i in range(60)], N),
            "who": [f"c{i}" for i in rng.integers(0, 20, N)],
            "label": rng.choice([0, 1], N),
        }
    )


def run(*args):
    result = CliRunner().invoke(app, [str(a) for a in args])
    assert result.exit_code == 0, result.output
    return result.output


def typed(frame):
    price = frame.price.str.replace("[$,]", "", regex=True).astype(float)
    return frame.assign(
        when=pd.to_datetime(frame.when, format="%d.%m.%Y"), price=price, flag=frame.label == 1
    )


WRITERS = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "parquet": lambda frame, path: typed(frame).to_parquet(path, index=False),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_winner_gives_the_columns_of_the_file_back(frame, tmp_path, suffix):
    file, best, drawn = tmp_path / f"my.{suffix}", tmp_path / "best", tmp_path / "drawn.csv"
    WRITERS[suffix](frame, file)
    run("compare", file, "--models", "independent", "--label", "label", "--group", "who",
        "--out", tmp_path / "run", "--save-best", best)  # fmt: skip
    model = genzoo.load_model(best)
    sample = model.sample(20)
    assert {"when", "price", "kids", "plz", "label"} <= set(sample.columns)
    assert not {"id", "who"} & set(sample.columns)
    assert sample["when"].dtype.kind == "M"
    assert sample["price"].dtype.kind == "f"
    assert set(sample["plz"]) <= {"01067", "04109"}
    assert np.isfinite(model.log_prob(sample).value).all()
    assert "nats per row" in run("score", best, file)
    run("sample", best, "-n", 20, "--out", drawn)
    assert "nats per row" in run("score", best, drawn)
    written = pd.read_csv(drawn, dtype=str)
    assert not written["kids"].str.contains(".", regex=False).any()
    assert not written.map(lambda v: "0000000" in str(v)).to_numpy().any()


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_fitted_file_is_shown_sampled_and_scored(frame, tmp_path, suffix):
    file, place, drawn = tmp_path / f"my.{suffix}", tmp_path / "m", tmp_path / "drawn.csv"
    WRITERS[suffix](frame, file)
    said = run("fit", "independent", file, "--out", place)
    assert "treated as" in said
    assert "column 'id' is left out" in said
    run("sample", place, "-n", 20, "--out", drawn)
    assert "nats per row" in run("score", place, drawn)
    order = tmp_path / "order.csv"
    pd.read_csv(drawn, dtype=str).iloc[:, ::-1].to_csv(order, index=False)
    assert run("score", place, order) == run("score", place, drawn)


def test_a_column_too_few_or_too_many_is_named(frame, tmp_path):
    frame.to_csv(tmp_path / "my.csv", index=False)
    run("fit", "independent", tmp_path / "my.csv", "--out", tmp_path / "m")
    for other, says in ((frame.drop(columns="price"), "absent: 'price'"),
                        (frame.assign(extra=1), "unknown: 'extra'")):  # fmt: skip
        other.to_csv(tmp_path / "o.csv", index=False)
        result = CliRunner().invoke(app, ["score", str(tmp_path / "m"), str(tmp_path / "o.csv")])
        assert result.exit_code == 2
        assert says in result.output


def test_strings_come_back_with_their_blanks_and_breaks(tmp_path):
    texts = ["a b", " a", "b\nb", ""] * 30
    genzoo.Independent().fit(texts).save(tmp_path / "m")
    run("sample", tmp_path / "m", "-n", 50, "--out", tmp_path / "s.csv")
    assert "nats per row" in run("score", tmp_path / "m", tmp_path / "s.csv")


def test_a_winner_on_strings_and_on_a_set_with_a_key_gives_data(tmp_path):
    made = genzoo.compare(
        ["independent"], {"words": ["ab", "a", "b"] * 30}, out=tmp_path / "r", progress=False,
        save_models=True,
    )  # fmt: skip
    made.save_best("words", tmp_path / "best")
    assert all(isinstance(s, str) for s in genzoo.load_model(tmp_path / "best").sample(5))
    assert made.load_model("independent", "words").sample(5).dtype == np.int64
    run("fit", "independent", "digits", "--out", tmp_path / "d")
    assert genzoo.load_model(tmp_path / "d").sample(2).shape == (2, 8, 8)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("https://x.org/a.csv", "download it first"),
        ("-", "standard input is not read"),
        ("no*.csv", "got the pattern no"),
        ("nofile.csv", "there is no nofile.csv"),
    ],
)
@pytest.mark.parametrize("command", [["fit", "independent"], ["compare"]])
def test_what_is_no_file_is_said_with_a_way(command, name, says, tmp_path):
    result = CliRunner().invoke(app, [*command, name, "--out", str(tmp_path / "o")])
    assert result.exit_code == 2
    assert says in result.output
    assert "Traceback" not in result.output
