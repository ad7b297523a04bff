"""Any torch module: the device it is on, its own randomness, its weights as arrays, its size and
its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from genzoo import threads
from genzoo.parameters import NoDeviceError, Text

threads.one_in_forks()

DEVICE = Text('"auto", "cpu", "cuda", ...')  # the rule of the parameter ``device``


def pick_device(device: str) -> torch.device:
    """The torch device for ``"auto"`` (an accelerator where there is one), ``"cpu"``, ``"cuda"``...

    Raises:
        NoDeviceError: if there is no such device here.
    """
    if device == "cpu":
        return torch.device("cpu")
    return fabric_on(device).device


def fabric_on(device: str) -> Any:
    """A Lightning Fabric for one device, named as in ``pick_device``; the same error."""
    from lightning_fabric import Fabric

    kind, _, index = device.partition(":")
    try:
        return Fabric(accelerator=kind, devices=[int(index)] if index else 1)
    except Exception as error:
        raise NoDeviceError(
            f'device: expected "auto", "cpu", "cuda", "cuda:0" or "mps", and one that this machine '
            f"has; got {device!r} ({error})"
        ) from error


class Drawn(TorchFunctionMode):
    """Initial weights of the modules that are made inside the block are drawn from a generator.

    Layers of torch draw theirs from the global generator, which all threads share.

    >>> with Drawn(torch.Generator().manual_seed(0)):
    ...     layer = nn.Linear(2, 1)
    >>> with Drawn(torch.Generator().manual_seed(0)):
    ...     torch.equal(layer.weight, nn.Linear(2, 1).weight)
    True
    """

    def __init__(self, source: torch.Generator) -> None:
        super().__init__()
        self.source = source

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        own = {"generator": self.source} if func in _DRAWS else {}
        return func(*args, **{**(kwargs or {}), **own})


# all that torch's layers, and those here, draw initial weights by
_DRAWS = {
    nn.init.uniform_,
    nn.init.normal_,
    nn.init.kaiming_uniform_,
    Tensor.uniform_,
    Tensor.normal_,
}


class Dropout(nn.Module):
    """``nn.Dropout`` that draws from a generator of its own.

    Attributes:
        source: the generator, which ``fit_network`` gives it, on the device of what it is applied
            to; None: torch's global one.
    """

    source: torch.Generator | None = None

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        # sixteen random bits a number: on the CPU several times faster than ``bernoulli_``
        drop, n = min(round(self.p * 2**16), 2**16 - 1), x.numel()
        bits = torch.empty(-(-n // 4), dtype=torch.int64, device=x.device)
        bits = bits.random_(-(2**63), None, generator=self.source).view(torch.int16)[:n]
        scale = torch.ge(bits.view(x.shape), drop - 2**15, out=torch.empty_like(x))
        return x * scale.mul_(2**16 / (2**16 - drop))


def weights_of(module: nn.Module, prefix: str = "") -> dict[str, np.ndarray]:
    """A module's weights as arrays, by name, to be saved."""
    return {f"{prefix}{name}": value.cpu().numpy() for name, value in module.state_dict().items()}


def load_weights(
    module: nn.Module, arrays: dict[str, np.ndarray], device: str, prefix: str = ""
) -> None:
    """The inverse of ``weights_of``: into the module, on the device, in evaluation mode; what else
    is among the arrays is left alone."""
    module.load_state_dict(
        {name: torch.as_tensor(arrays[f"{prefix}{name}"]) for name in module.state_dict()}
    )
    module.to(pick_device(device)).eval()


def n_weights(module: nn.Module) -> int:
    """How many trained numbers a module has."""
    return sum(p.numel() for p in module.parameters())


def multiplications(module: nn.Module, *inputs: Tensor) -> int:
    """How many multiplications of a weight the layers of a module do in one call."""
    total = 0

    def count(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, Tensor)
        # a transposed convolution spreads each input, the others gather for each output
        places = given[0] if isinstance(layer, nn.ConvTranspose2d) else out
        total += places.numel() * weight[0].numel()

    layers = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)
    hooks = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, layers)]
    try:
        with torch.no_grad():
            module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return total
