"""Networks whose answers can be read off their images."""

from torch import Tensor, nn

from comp.models.device import choose_device

DEVICE = choose_device("fp32")


FULL = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


class Corner(nn.Module):
    """Logits that tell the brightness of the top left pixel of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        return 8 * x[:, :, 0, 0] - 4


class Pixels(nn.Module):
    """Logits that are the image itself: a spatial answer."""

    def forward(self, x: Tensor) -> Tensor:
        return x
