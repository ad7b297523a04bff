"""What families of networks share: all of them a device, to which a fitted model can be taken; and
those that are one transformer its sizes and weights."""

from __future__ import annotations

import abc
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
from torch import nn

from genzoo.model import GenerativeModel
from genzoo.models.neural.modules import DEVICE, Drawn, n_weights, pick_device, weights_of
from genzoo.parameters import Interval, NoDeviceError
from genzoo.seeding import torch_generator
from genzoo.store import pack_json


class OnDevice(GenerativeModel):
    """A family whose networks are on the device that its parameter ``device`` names."""

    parameters = {"device": DEVICE}

    device: str

    @abc.abstractmethod
    def _networks(self) -> Iterable[nn.Module]:
        """All that was fitted and is on the device."""

    def set_params(self, **params: Any) -> Self:
        """As for all models; another ``device`` takes a fitted model there.

        Raises:
            ValueError: for an unknown name or a value out of range, and for a device that is not
                there once the model is fitted; then nothing is changed.
        """
        before = self.get_params()
        super().set_params(**params)
        if "device" in params and self.__sklearn_is_fitted__():
            try:
                device = pick_device(self.device)
            except NoDeviceError:
                super().set_params(**before)
                raise
            for network in self._networks():
                network.to(device)
        return self


class OneTransformer(OnDevice):
    """A family of one transformer.

    Attributes:
        network_: what was fitted.
        sizes_: its arguments beside the schema.
    """

    warm_starts = True
    parameters = {
        "d_model": Interval(int, optional=True),
        "n_layers": Interval(int, optional=True),
        "n_heads": Interval(int, optional=True),
        "dropout": Interval(float, 0, 1, closed="left", optional=True),
        **OnDevice.parameters,
    }
    _stream: ClassVar[str]  # of its initial weights

    d_model: int | None
    n_layers: int | None
    n_heads: int | None
    dropout: float | None

    network_: nn.Module
    sizes_: dict[str, Any]

    @abc.abstractmethod
    def _network(self, sizes: dict[str, Any]) -> nn.Module:
        """A new one of these sizes."""

    def _build(self, sizes: dict[str, Any], seed: int = 0) -> None:
        self.sizes_ = sizes
        with Drawn(torch_generator(seed, self._stream, "init")):
            self.network_ = self._network(sizes)

    def _kept(self) -> dict[str, Any]:
        return {name: self.sizes_[name] for name in ("d_model", "n_layers", "n_heads")}

    def _networks(self) -> list[nn.Module]:
        return [self.network_]

    def _state(self) -> dict[str, np.ndarray]:
        return {"sizes": pack_json(self.sizes_), **weights_of(self.network_)}

    @property
    def n_parameters_(self) -> int:
        """The number of trained weights."""
        return n_weights(self.network_)
