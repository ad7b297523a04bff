"""Images whose channels are last: recognised, and given back as they came."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import genzoo
from genzoo import Dataset, Independent, Schema

RNG = np.random.default_rng(0)


def images(*shape):
    return RNG.integers(0, 256, shape).astype(np.uint8)


def first(data):
    return np.moveaxis(data, -1, 1)


@pytest.mark.parametrize("shape", [(8, 9, 3), (8, 9, 4), (8, 9, 1), (16, 16, 3), (2, 2, 3)])
def test_channels_last_come_back_as_they_went_in(shape, tmp_path):
    data = images(40, *shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Independent().fit(data)
    H, W, C = shape
    assert model.schema_.event_shape == (C, H, W)
    assert model.schema_.names[:2] == ["p0_0_0", "p0_0_1"]
    assert model.sample(3).shape == (3, *shape)
    assert model.sample(3).dtype == np.uint8
    assert (model.sample(1, given=data[0]) == data[:1]).all()
    assert (model.sample(2, given=data[:2]) == data[:2]).all()
    assert (genzoo.impute(model, data[:5]) == data[:5]).all()
    model.save(tmp_path / "m")
    loaded = genzoo.load_model(tmp_path / "m")
    assert (loaded.sample(3, seed=1) == model.sample(3, seed=1)).all()
    assert (loaded.log_prob(data).value == model.log_prob(data).value).all()


def test_both_orders_are_one_space():
    data = images(30, 8, 9, 3)
    last, usual = Independent().fit(data), Independent().fit(first(data))
    assert last.schema_ == replace(usual.schema_, channels_last=True)
    assert (last.log_prob(data).value == usual.log_prob(first(data)).value).all()
    assert (last.log_prob(first(data)).value == usual.log_prob(data).value).all()
    assert (first(last.sample(4, seed=2)) == usual.sample(4, seed=2)).all()
    assert usual.sample(1, given=data[0]).shape == (1, 3, 8, 9)


def test_the_schema_decodes_what_it_encodes():
    data = images(5, 8, 9, 3)
    schema = Schema.infer(data)
    assert (schema.decode(schema.encode(data)) == data).all()
    assert Schema.from_json(schema.to_json()) == schema
    assert "channels_last" not in Schema.infer(first(data)).to_json()


def test_a_dataset_and_a_comparison_take_channels_last(tmp_path):
    data = images(60, 6, 7, 3)
    made = Dataset.from_data(data, "mine")
    assert made.schema.event_shape == (3, 6, 7)
    run = genzoo.compare(
        ["independent"], {"mine": data}, out=tmp_path / "run", progress=False, save_models=True
    )
    assert run.table()["status"].tolist() == ["ok"]
    run.save_best("mine", tmp_path / "best")
    best = genzoo.load_model(tmp_path / "best")
    assert best.sample(2).shape == (2, 6, 7, 3)
    assert np.isfinite(best.log_prob(best.sample(2)).value).all()


@pytest.mark.parametrize(
    "shape", [(3, 3, 3), (3, 8, 3), (4, 4, 3), (1, 8, 3), (16, 16, 2), (9, 8, 5)]
)
def test_what_may_be_either_order_is_said(shape):
    with pytest.warns(UserWarning, match=r"taken as \(n, C, H, W\).*np.moveaxis"):
        model = Independent().fit(images(20, *shape))
    assert model.schema_.event_shape == shape
    assert model.sample(2).shape == (2, *shape)


@pytest.mark.parametrize("shape", [(3, 8, 9), (1, 8, 9), (4, 8, 9), (1, 8, 1), (2, 8, 9), (8, 9)])
def test_channels_first_are_as_ever_and_nothing_is_said(shape):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Independent().fit(images(20, *shape))
    assert model.schema_.event_shape == shape
    assert not model.schema_.channels_last
    assert model.sample(2).shape == (2, *shape)


def test_where_both_orders_fit_the_schema_decides():
    data = images(20, 3, 3, 3)
    schema = replace(Schema.infer(first(images(20, 4, 5, 3))), event_shape=(3, 4, 5))
    assert schema.event_shape == (3, 4, 5)
    with pytest.warns(UserWarning, match="taken as"):
        usual = Schema.infer(data)
    last = replace(usual, channels_last=True)
    assert (last.encode(data) == usual.encode(first(data))).all()
    assert (last.decode(last.encode(data)) == data).all()
    assert (Independent().fit(data, schema=last).sample(1, given=data[2]) == data[2:3]).all()


def test_images_of_another_size_are_refused_in_the_order_that_was_fitted():
    model = Independent().fit(images(20, 8, 9, 3))
    with pytest.raises(ValueError, match=r"expected shape \('n', 8, 9, 3\); got \(2, 9, 9, 3\)"):
        model.log_prob(images(2, 9, 9, 3))


@pytest.mark.parametrize(
    ("layout", "shape"), [("table", (4,)), ("sequence", (2, 2)), ("image", (2, 2))]
)
def test_only_images_with_channels_have_them_last(layout, shape):
    variables = tuple(genzoo.Variable(d, cardinality=2) for d in range(4))
    with pytest.raises(ValueError, match="channels_last: only an image"):
        Schema(variables, layout, shape, channels_last=True)
    with pytest.raises(ValueError, match="channels_last: expected True or False; got 1"):
        Schema(variables, "image", (1, 2, 2), channels_last=1)


def test_pixels_are_shown_in_the_order_of_their_names():
    data = images(5, 8, 9, 3)
    schema = Schema.infer(data)
    table = genzoo.space.forms.read(data).table(schema)
    assert table["p2_1_0"].tolist() == data[:, 1, 0, 2].tolist()


def test_a_convolutional_network_takes_channels_last():
    data = np.zeros((60, 8, 8, 3), np.uint8)
    data[..., 0] = 255 * RNG.integers(0, 2, (60, 1, 1))
    model = genzoo.VAE(latent_dim=2, device="cpu").fit(data, budget="20 steps")
    assert model.sample(2).shape == (2, 8, 8, 3)
