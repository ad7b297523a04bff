"""What all families of networks share: a device, to which a fitted model can be taken."""

from __future__ import annotations

import abc
from collections.abc import Iterable
from typing import Any, Self

from torch import nn

from genzoo.model import GenerativeModel
from genzoo.models.neural.modules import DEVICE, pick_device
from genzoo.parameters import NoDeviceError


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
