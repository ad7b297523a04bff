"""Encoders and decoders: shapes for every layout, and where a pixel or a step ends up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genzoo.models.neural.coders import Decoder, Encoder
from genzoo.models.neural.heads import Heads
from genzoo.models.neural.modules import multiplications
from genzoo.space.schema import Schema, Variable


def schema(layout: str, shape: tuple[int, ...], card: int = 3, **options) -> Schema:
    end = options.pop("end", None)
    D = int(np.prod(shape))
    variables = tuple(Variable(d, cardinality=card, **options) for d in range(D))
    return Schema(variables, layout, shape, end=end)


SCHEMAS = {
    "table": Schema(
        (
            Variable("constant", cardinality=1),
            Variable("long", "ordinal", 101, missing=True),
            Variable("b", cardinality=4),
        ),
        "table",
        (3,),
    ),
    "small image": schema("image", (3, 3), 2),
    "image": schema("image", (19, 14), 8),
    "colour image": schema("image", (3, 16, 13), 256, kind="ordinal"),
    "unequal image": Schema(
        tuple(Variable(d, cardinality=2 + d % 2) for d in range(14 * 14)), "image", (14, 14)
    ),
    "strings": schema("sequence", (7,), 5, end=4),
    "channels": schema("sequence", (6, 2), 3),
    "marked series": schema("sequence", (9,), 51, kind="ordinal", missing=True),
}


def rows(of: Schema, n: int = 4) -> torch.Tensor:
    drawn = np.random.default_rng(0).integers(0, of.cards, (n, of.D))
    if of.end is not None:
        drawn = np.where(of.reached(drawn), drawn, of.end)
    return torch.as_tensor(drawn)


@pytest.mark.parametrize("name", SCHEMAS)
def test_shapes_gradients_and_no_leak_between_rows(name):
    of = SCHEMAS[name]
    torch.manual_seed(0)
    encoder, decoder = Encoder(of, 10, 32), Decoder(of, 5, 32)
    x = rows(of)
    vector = encoder(decoder.heads.onehot(x))
    assert vector.shape == (4, 10)
    alone = torch.cat([encoder(decoder.heads.onehot(row[None])) for row in x])
    assert torch.allclose(vector, alone, atol=1e-5)

    z = torch.randn(6, 4, 5)
    assert decoder(z).shape == (6, 4, decoder.heads.n_outputs)
    assert torch.allclose(decoder(z)[2, 1], decoder(z[2, 1]), atol=1e-5)
    log_p = decoder.row_log_prob(z, x)
    assert log_p.shape == (6, 4)
    assert torch.isfinite(log_p).all()
    (vector.sum() + log_p.sum()).backward()
    for module in (encoder, decoder):
        assert all(torch.isfinite(p.grad).all() for p in module.parameters())


def test_decoder_starts_near_the_marginals():
    of = SCHEMAS["strings"]
    decoder = Decoder(of, 5, 32)
    data = rows(of, 500).numpy()
    decoder.start_at_marginals(data)
    with torch.no_grad():
        p = decoder.heads.log_probs_all(decoder(torch.zeros(1, 5)))[0].exp().numpy()
    assert p[0] == pytest.approx(np.bincount(data[:, 0], minlength=5) / 500, abs=0.1)


@pytest.mark.parametrize("name", ["image", "colour image", "strings", "channels"])
def test_the_first_convolution_sees_neighbours_as_neighbours(name):
    """Features changed at one place change the first convolution there and next to it only."""
    of = SCHEMAS[name]
    torch.manual_seed(0)
    encoder, heads = Encoder(of, 4, 32), Heads(of)
    seen = []
    encoder.body[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
    x = torch.zeros(2, of.D, dtype=torch.int64)
    at = tuple(s // 2 for s in of.event_shape)
    x[1, np.ravel_multi_index(at, of.event_shape)] = 1
    encoder(heads.onehot(x))
    changed = (seen[0][0] != seen[0][1]).any(dim=0)
    place = at[:1] if of.layout == "sequence" else at[-2:]
    where = torch.nonzero(changed)
    assert (abs(where - torch.tensor(place)).max() <= 1).all()
    assert changed[place]


@pytest.mark.parametrize("name", ["image", "colour image", "channels"])
def test_the_last_layer_writes_each_place_into_its_own_variable(name):
    of = SCHEMAS[name]
    torch.manual_seed(0)
    decoder = Decoder(of, 4, 32)
    at = tuple(s // 2 for s in of.event_shape)
    spatial = at[:1] if of.layout == "sequence" else at[-2:]

    def disturb(module, inputs):
        h = inputs[0].clone()
        if of.layout == "sequence":
            h[:, spatial[0]] += 1  # (N, T, channels)
        else:
            h[:, :, spatial[0], spatial[1]] += 1  # (N, channels, H, W)
        return (h,)

    z = torch.zeros(1, 4)
    with torch.no_grad():
        before = decoder(z)
        decoder.body[-1].register_forward_pre_hook(disturb)
        changed = (decoder(z) != before).view(of.D, -1).any(dim=1).numpy()
    places = np.argwhere(changed.reshape(of.event_shape))
    places = places[:, :1] if of.layout == "sequence" else places[:, -2:]
    reach = 0 if of.layout == "sequence" else 1
    assert np.abs(places - np.array(spatial)).max() == reach


def test_multiplications_are_those_of_dense_and_convolutional_layers():
    """A direct count: weights times the places where each is used."""
    flat = Decoder(SCHEMAS["table"], 5, 32, depth=3)
    dense = [m for m in flat.modules() if isinstance(m, torch.nn.Linear)]
    assert len(dense) == 5
    assert multiplications(flat, torch.zeros(7, 5)) == 7 * sum(m.weight.numel() for m in dense)

    encoder, heads = Encoder(SCHEMAS["image"], 4, 32), Heads(SCHEMAS["image"])
    places = iter((19 * 14, 10 * 7, 5 * 4))  # at each resolution
    expected = 0
    for layer in encoder.modules():
        if isinstance(layer, torch.nn.Conv2d):
            expected += next(places) * layer.weight.numel()
        elif isinstance(layer, torch.nn.Linear):
            expected += layer.weight.numel()
    assert multiplications(encoder, torch.zeros(1, heads.n_inputs)) == expected


@pytest.mark.parametrize("D", [40, 5000])  # the longer ones are decoded in stretches
def test_strings_are_decoded_as_far_as_they_go(D):
    of = schema("sequence", (D,), 4, end=3)
    torch.manual_seed(0)
    decoder, z = Decoder(of, 3, 16), torch.randn(2, 3, 3)
    torch.nn.init.normal_(decoder.bias)
    x = torch.full((3, D), 3)
    x[0, :4], x[1, :9] = torch.tensor([0, 1, 2, -1]), 1
    whole = decoder.heads.row_log_prob(decoder(z), x)
    heads, outputs, codes = decoder.as_far_as(z, x)
    assert heads.D == codes.shape[-1] == 16
    assert outputs.shape == (2, 3, 16 * 4)
    torch.testing.assert_close(decoder.row_log_prob(z, x), whole)
    x[2] = 0  # it never ends
    assert decoder.as_far_as(z, x)[0] is decoder.heads
