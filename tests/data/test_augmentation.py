"""Augmentation and normalisation against slow references, pixel by pixel, and what is refused."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_lib.data import pixel_statistics
from sce_lib.data.augmentation import augment, normalise, rotate


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_images(n=20, height=9, width=7, channels=3, seed=0):
    return torch.randint(0, 256, (n, height, width, channels), dtype=torch.uint8, generator=seeded(seed))


def moved(image, down, right, mirrored, fill):
    """Move one image pixel by pixel, as the words say it: the slow reference."""
    height, width, _ = image.shape
    result = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            v, u = y - down, x - right
            inside = 0 <= v < height and 0 <= u < width
            if inside or fill == "nearest":
                result[y, x] = image[min(max(v, 0), height - 1), min(max(u, 0), width - 1)]
    return result[:, ::-1] if mirrored else result


def find_moves(source, result, shift, flip, fill="nearest"):
    """Return every (down, right, mirrored) within the limits that turns one image into the other."""
    limits = (shift, shift) if isinstance(shift, int) else shift
    downs, rights = (range(-limit, limit + 1) for limit in limits)
    return [
        (down, right, mirrored)
        for down in downs
        for right in rights
        for mirrored in ((False, True) if flip else (False,))
        if np.array_equal(moved(source, down, right, mirrored, fill), result)
    ]


@pytest.mark.parametrize(("fill", "channels"), [("nearest", 1), ("zero", 3)])
@pytest.mark.parametrize(("shift", "flip"), [(0, True), (2, False), (3, True)])
def test_every_image_is_one_of_the_allowed_moves(channels, fill, shift, flip):
    images = random_images(channels=channels)
    result = augment(images, shift=shift, flip=flip, fill=fill, generator=seeded())
    assert result.shape == images.shape
    assert result.dtype == torch.uint8
    for source, got in zip(images.numpy(), result.numpy(), strict=True):
        assert len(find_moves(source, got, shift, flip, fill)) == 1


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 8), st.integers(2, 8), st.sampled_from([1, 3]), st.data(), st.integers(0, 2**31))
def test_any_shape_and_seed(height, width, channels, data, seed):
    shift = data.draw(st.integers(0, min(height, width) - 1))
    images = random_images(4, height, width, channels, seed)
    result = augment(images, shift=shift, flip=True, generator=seeded(seed))
    for source, got in zip(images.numpy(), result.numpy(), strict=True):
        assert find_moves(source, got, shift, True)


def test_moves_are_uniform_and_independent():
    base = torch.arange(48, dtype=torch.uint8).reshape(1, 6, 8, 1)
    n = 6000
    result = augment(base, shift=2, flip=True, generator=seeded(), index=torch.zeros(n, dtype=torch.int64))
    table = {
        moved(base[0].numpy(), *move, "nearest").tobytes(): move
        for move in [(d, r, m) for d in range(-2, 3) for r in range(-2, 3) for m in (False, True)]
    }
    counts = Counter(table[image.tobytes()] for image in result.numpy())
    assert len(counts) == 50
    # Chi square with 49 degrees of freedom: mean 49, deviation under 10.
    assert sum((counts[m] - n / 50) ** 2 / (n / 50) for m in table.values()) < 49 + 5 * math.sqrt(98)


@pytest.mark.parametrize(("fraction", "limits"), [(0.2, (2, 6)), (0.36, (4, 11)), (0.01, (0, 0))])
def test_a_fraction_counts_by_side_and_is_rounded(fraction, limits):
    height, width, n = 10, 30, 2000
    base = random_images(1, height, width, 1)
    result = augment(base, shift=fraction, generator=seeded(), index=torch.zeros(n, dtype=torch.int64))
    table = {
        moved(base[0].numpy(), d, r, False, "nearest").tobytes(): (d, r)
        for d in range(-limits[0] - 1, limits[0] + 2)
        for r in range(-limits[1] - 1, limits[1] + 2)
    }
    moves = [table[image.tobytes()] for image in result.numpy()]
    for axis in (0, 1):
        seen = [m[axis] for m in moves]
        assert (min(seen), max(seen)) == (-limits[axis], limits[axis])
        assert abs(np.mean(seen)) < 5 * max(limits[axis], 1) / math.sqrt(n)


def test_a_fraction_of_a_fifth_on_32_pixels_reaches_six():
    ramp = torch.arange(32, dtype=torch.uint8).reshape(1, 1, 32, 1).expand(1, 32, 32, 1).contiguous()
    result = augment(ramp, shift=0.2, generator=seeded(), index=torch.zeros(4000, dtype=torch.int64))
    rights = 16 - result[:, 16, 16, 0].int()
    counts = torch.bincount(rights + 6, minlength=13) / 4000
    assert (rights.min(), rights.max()) == (-6, 6)
    # Real shifts from ±6.4, rounded: whole numbers in the middle get 1 part of 12.8, the last two 0.9.
    expected = torch.tensor([0.9, *[1.0] * 11, 0.9]) / 12.8
    assert ((counts - expected).abs() < 5 * (expected / 4000).sqrt()).all()


def test_half_of_the_images_are_mirrored():
    images = random_images(4000, 2, 3, 1)
    result = augment(images, flip=True, generator=seeded())
    mirrored = (result == images.flip(2)).flatten(1).all(1)
    kept = (result == images).flatten(1).all(1)
    assert (mirrored | kept).all()
    assert abs((mirrored & ~kept).double().mean() - 0.5) < 5 * 0.5 / math.sqrt(4000)


@pytest.mark.parametrize("how", [{"shift": 2}, {"shift": 0.3}, {"flip": True}, {"rotation": 15.0},
                                 {"shift": 2, "flip": True, "rotation": 20.0}])  # fmt: skip
def test_the_seed_decides(how):
    images = random_images(40)
    one, same, other = (augment(images, **how, generator=seeded(s)) for s in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_global_random_state_and_the_input_are_left_alone():
    images = random_images()
    copy, state = images.clone(), torch.get_rng_state()
    augment(images, shift=2, flip=True, rotation=10, generator=seeded())
    augment(images, shift=2, fill="zero", generator=seeded())
    normalise(images, 0.5, 0.2)
    assert torch.equal(images, copy)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("off", [{}, {"shift": 0}, {"shift": 0.0}, {"rotation": 0}, {"flip": False}])
def test_nothing_to_do_is_the_identity_and_draws_nothing(off):
    images = random_images()
    generator = seeded()
    state = generator.get_state()
    assert augment(images, **off, generator=generator) is images
    assert torch.equal(generator.get_state(), state)
    assert augment(images, **off, generator=None) is images
    index = torch.tensor([3, 3, 0])
    assert torch.equal(augment(images, **off, generator=None, index=index), images[index])


@pytest.mark.parametrize("how", [{"shift": 2, "flip": True}, {"shift": 1, "fill": "zero"}, {"rotation": 9.0}])
def test_choosing_a_batch_is_the_same_as_choosing_it_before(how):
    images, index = random_images(), torch.tensor([5, 0, 5, 19, 2])
    fused = augment(images, **how, generator=seeded(), index=index)
    assert torch.equal(fused, augment(images[index], **how, generator=seeded()))


def test_images_that_are_not_contiguous():
    images = random_images(10, 8, 8, 3).permute(0, 2, 1, 3)
    one = augment(images, shift=2, flip=True, generator=seeded())
    assert torch.equal(one, augment(images.contiguous(), shift=2, flip=True, generator=seeded()))


@pytest.mark.parametrize(
    "how", [{}, {"shift": 2, "flip": True}, {"rotation": 9.0}, {"shift": 1, "fill": "zero"}]
)
def test_an_empty_batch(how):
    index = torch.zeros(0, dtype=torch.int64)
    assert augment(random_images(), **how, generator=seeded(), index=index).shape == (0, 9, 7, 3)


# --- rotation -----------------------------------------------------------------------------------------------


def rotated(image, degrees, fill):
    """Rotate one image pixel by pixel about its centre, counter-clockwise, bilinear: the slow reference."""
    height, width, _ = image.shape
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    result = np.zeros(image.shape)
    for y in range(height):
        for x in range(width):
            # Upwards and rightwards from the centre, turned back to where the pixel came from.
            up, right = (height - 1) / 2 - y, x - (width - 1) / 2
            u, v = right * cos + up * sin + (width - 1) / 2, (height - 1) / 2 - (up * cos - right * sin)
            if fill == "nearest":
                u, v = min(max(u, 0), width - 1), min(max(v, 0), height - 1)
            left, top = math.floor(u), math.floor(v)
            for row in (top, top + 1):
                for col in (left, left + 1):
                    if 0 <= row < height and 0 <= col < width:
                        result[y, x] += image[row, col] * (1 - abs(v - row)) * (1 - abs(u - col))
    return result


@pytest.mark.parametrize("fill", ["nearest", "zero"])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 6), (5, 11)])
def test_rotation_is_bilinear_about_the_centre(fill, height, width):
    images = random_images(5, height, width)
    degrees = torch.tensor([0.0, 7.5, -20.0, 90.0, 163.0])
    result = rotate(images, degrees, fill=fill)
    assert result.dtype == torch.uint8
    assert result.is_contiguous()
    for source, angle, got in zip(images.double().numpy(), degrees, result.numpy(), strict=True):
        assert np.abs(rotated(source, angle.item(), fill) - got).max() < 0.51


def test_quarter_turns_are_exact():
    images = random_images(4, 8, 8)
    degrees = torch.tensor([0.0, 90.0, 180.0, -90.0])
    expected = torch.stack([img.rot90(k, (0, 1)) for img, k in zip(images, (0, 1, 2, 3), strict=True)])
    assert torch.equal(rotate(images, degrees), expected)


def test_angles_are_uniform_within_the_limit():
    wedge = torch.zeros(1, 33, 33, 1, dtype=torch.uint8)
    wedge[0, 16, 20:] = 255
    n, limit = 1500, 20.0
    index = torch.zeros(n, dtype=torch.int64)
    result = augment(wedge, rotation=limit, generator=seeded(), index=index, fill="zero").double().squeeze(-1)
    up = 16 - torch.arange(33.0, dtype=torch.float64)
    weight = result.sum((1, 2))
    height = (result.sum(2) * up).sum(1) / weight
    right = (result.sum(1) * -up).sum(1) / weight
    angles = torch.rad2deg(torch.atan2(height, right))
    assert angles.abs().max() < limit + 1
    deviation = limit / math.sqrt(3)
    assert abs(angles.mean()) < 5 * deviation / math.sqrt(n)
    assert abs(angles.std() - deviation) < 1


@pytest.mark.parametrize("degrees", [torch.zeros(3), torch.zeros(4, dtype=torch.int64), torch.zeros(4, 1)])
def test_rotate_wants_an_angle_for_each_image(degrees):
    with pytest.raises(ValueError, match="one for each image"):
        rotate(random_images(4), degrees)


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool])
def test_only_uint8_images(dtype):
    images = torch.zeros(2, 8, 8, 3, dtype=dtype)
    for act in (lambda: augment(images, generator=seeded()), lambda: normalise(images),
                lambda: rotate(images, torch.zeros(2))):  # fmt: skip
        with pytest.raises(TypeError, match=r"must be uint8.*got torch"):
            act()


@pytest.mark.parametrize("shape", [(8, 8, 3), (2, 8, 8), (1, 2, 8, 8, 3), ()])
def test_only_batches(shape):
    images = torch.zeros(shape, dtype=torch.uint8)
    for act in (lambda: augment(images, generator=seeded()), lambda: normalise(images)):
        with pytest.raises(ValueError, match=r"must be \(N, H, W, C\)"):
            act()


@pytest.mark.parametrize("shift", [-1, 7, 8, 100, -0.1, 1.0, 2.5, float("nan"), float("inf")])
def test_shifts_out_of_range(shift):
    with pytest.raises(ValueError, match=r"shift .*got"):
        augment(random_images(2, 9, 7), shift=shift, generator=seeded())


@pytest.mark.parametrize("shift", [True, "2", None, (1, 1)])
def test_shifts_are_numbers(shift):
    with pytest.raises(TypeError, match="shift must be an int"):
        augment(random_images(2), shift=shift, generator=seeded())


@pytest.mark.parametrize("rotation", [-1, 181, float("nan"), True])
def test_rotations_out_of_range(rotation):
    with pytest.raises(ValueError, match="rotation must be 0 to 180"):
        augment(random_images(2), rotation=rotation, generator=seeded())


def test_unknown_fill():
    with pytest.raises(ValueError, match="fill must be 'nearest' or 'zero', got 'reflect'"):
        augment(random_images(2), shift=1, fill="reflect", generator=seeded())


@pytest.mark.parametrize("index", [torch.zeros(2), torch.zeros(2, 1, dtype=torch.int64), torch.ones(2) > 0])
def test_bad_index(index):
    with pytest.raises(ValueError, match=r"index must be int64 \(N,\)"):
        augment(random_images(2), generator=seeded(), index=index)


def test_an_index_out_of_range():
    for how in ({}, {"shift": 1}):
        with pytest.raises(IndexError):
            augment(random_images(2), **how, generator=seeded(), index=torch.tensor([2]))


@pytest.mark.parametrize("how", [{"shift": 1}, {"flip": True}, {"rotation": 1.0}])
def test_a_generator_is_needed_where_something_is_drawn(how):
    with pytest.raises(ValueError, match="generator=None"):
        augment(random_images(2), **how, generator=None)


# --- normalise ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "dtype"), [(3, torch.float32), (1, torch.float64), (3, torch.float16), (1, torch.bfloat16)]
)
def test_normalise_is_the_formula(channels, dtype):
    images = random_images(channels=channels)
    mean, std = torch.linspace(0.3, 0.5, channels), torch.linspace(0.2, 0.3, channels)
    x = normalise(images, mean, std, dtype=dtype)
    assert x.dtype == dtype
    assert x.shape == (20, channels, 9, 7)
    assert x.is_contiguous(memory_format=torch.channels_last)
    expected = ((images.double() / 255 - mean.double()) / std.double()).permute(0, 3, 1, 2)
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(x.double(), expected, rtol=4 * eps, atol=8 * eps)


def test_normalised_training_images_have_mean_0_and_deviation_1():
    images = random_images(200)
    statistics = pixel_statistics(images)
    x = normalise(images, statistics.mean, statistics.std, dtype=torch.float64)
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(x.std((0, 2, 3), correction=0), torch.ones(3, dtype=torch.float64))


def test_a_mean_image_is_subtracted_pixel_by_pixel():
    images = random_images(200)
    x = normalise(images, pixel_statistics(images).pixel_mean, dtype=torch.float64)
    torch.testing.assert_close(x.mean(0), torch.zeros(3, 9, 7, dtype=torch.float64))


def test_by_default_it_is_a_division_by_255():
    images = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    torch.testing.assert_close(normalise(images).flatten(), torch.arange(256.0) / 255)
    for number, same in ((0.25, [0.25]), (0.25, torch.tensor(0.25)), (0.25, torch.tensor([0.25]))):
        assert torch.equal(normalise(images, number, number), normalise(images, same, same))


@pytest.mark.parametrize(
    "bad", [[0.1, 0.2], torch.zeros(9, 7), torch.zeros(7, 9, 3), torch.zeros(1, 9, 7, 3)]
)
def test_statistics_of_another_shape(bad):
    with pytest.raises(ValueError, match=r"mean must be one number, \(3,\) or \(9, 7, 3\)"):
        normalise(random_images(), mean=bad)


@pytest.mark.parametrize("std", [0.0, -1.0, [0.2, 0.0, 0.2], torch.zeros(9, 7, 3), float("nan")])
def test_deviations_are_above_0(std):
    with pytest.raises(ValueError, match="std must be above 0"):
        normalise(random_images(), std=std)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_only_floating_results(dtype):
    with pytest.raises(TypeError, match="dtype must be floating"):
        normalise(random_images(), dtype=dtype)


# --- on an accelerator -------------------------------------------------------------------------------------


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu():
    images = random_images(64, 32, 32).cuda()
    generator = torch.Generator("cuda").manual_seed(0)
    index = torch.arange(10, device="cuda")
    result = augment(images, shift=4, flip=True, generator=generator, index=index)
    assert result.is_cuda
    for source, got in zip(images[:10].cpu().numpy(), result.cpu().numpy(), strict=True):
        assert len(find_moves(source, got, 4, True)) == 1
    turned = augment(images, rotation=20, generator=generator)
    torch.testing.assert_close(
        normalise(turned, [0.5] * 3, [0.2] * 3).cpu(), normalise(turned.cpu(), [0.5] * 3, [0.2] * 3)
    )
    degrees = torch.full((64,), 13.0)
    difference = rotate(images, degrees.cuda()).cpu().int() - rotate(images.cpu(), degrees).int()
    assert difference.abs().max() <= 1
    with pytest.raises(ValueError, match="generator is on cpu"):
        augment(images, shift=1, generator=seeded())
