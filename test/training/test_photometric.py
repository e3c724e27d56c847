from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from openpose_ros.training.config import ConfigError, PhotometricConfig
from openpose_ros.training.photometric import Photometric

NOTHING = PhotometricConfig(
    brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0, grey=0.0, blur=0.0, noise=0.0, jpeg=0.0
)


def pictures() -> torch.Tensor:
    return torch.randint(0, 256, (4, 3, 24, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_crop_depends_on_its_seed_alone() -> None:
    change = Photometric(PhotometricConfig(blur=1.0, noise=1.0, jpeg=1.0), "BGR")
    images, seeds = pictures(), torch.tensor([5, 6, 7, 8])
    together = change(images, seeds)
    assert torch.equal(together, change(images, seeds))
    alone = change(images[2:3], seeds[2:3])
    torch.testing.assert_close(together[2:3], alone, atol=1e-3, rtol=0)
    assert not torch.equal(together[0], change(images[:1], seeds[1:2])[0])
    assert together.min() >= 0.0
    assert together.max() <= 255.0


def test_nothing_to_change_changes_nothing() -> None:
    images = pictures()
    torch.testing.assert_close(Photometric(NOTHING, "BGR")(images, torch.arange(4)), images.float(), atol=1e-3, rtol=0)
    off = Photometric(PhotometricConfig(enabled=False), "BGR")
    assert torch.equal(off(images, torch.arange(4)), images.float())


@pytest.mark.parametrize("channels", ["BGR", "RGB"])
def test_grey_has_the_brightness_of_the_colours(channels: str) -> None:
    grey = Photometric(replace(NOTHING, grey=1.0), channels)(pictures(), torch.arange(4))
    torch.testing.assert_close(grey[:, 0], grey[:, 2], atol=1e-3, rtol=0)
    red = torch.zeros((1, 3, 8, 8), dtype=torch.uint8)
    red[:, 0 if channels == "RGB" else 2] = 200
    value = Photometric(replace(NOTHING, grey=1.0), channels)(red, torch.arange(1))
    assert float(value.mean()) == pytest.approx(0.299 * 200, abs=0.1)


def test_both_channel_orders_turn_hue_the_same_way() -> None:
    images, config = pictures() // 2 + 60, replace(NOTHING, hue=0.1)
    blue_first = Photometric(config, "BGR")(images, torch.arange(4))
    red_first = Photometric(config, "RGB")(images.flip(1), torch.arange(4))
    torch.testing.assert_close(blue_first, red_first.flip(1), atol=1e-3, rtol=0)


def test_jpeg_keeps_flat_areas_and_loses_detail() -> None:
    change = Photometric(replace(NOTHING, jpeg=1.0), "BGR")
    flat = torch.full((1, 3, 20, 28), 128, dtype=torch.uint8)
    torch.testing.assert_close(change(flat, torch.arange(1)), flat.float(), atol=0.5, rtol=0)
    noisy = pictures()
    lost = (change(noisy, torch.arange(4)) - noisy.float()).abs().mean()
    assert 2.0 < float(lost) < 60.0


def test_an_augmentation_of_ones_own_is_named_by_its_path() -> None:
    config = replace(NOTHING, extra=[{"type": "torch.nn.Hardtanh", "min_val": 0.0, "max_val": 50.0}])
    assert Photometric(config, "BGR")(pictures(), torch.arange(4)).max() == 50.0
    with pytest.raises(ConfigError, match=r"no_such_module\.Blur.*cannot be imported"):
        Photometric(replace(NOTHING, extra=[{"type": "no_such_module.Blur"}]), "BGR")
    with pytest.raises(ConfigError, match="unexpected keyword argument 'strength'"):
        Photometric(replace(NOTHING, extra=[{"type": "torch.nn.Hardtanh", "strength": 1}]), "BGR")
