"""What every data set is: arrays that are checked, frozen, and have a fingerprint."""

import pytest
import torch

from sce_lib.data import DatasetError, ImageData


def image_data(**changes):
    parts = {
        "name": "x",
        "train_images": torch.zeros(4, 3, 5, 1, dtype=torch.uint8),
        "train_labels": torch.tensor([0, 1, 0, 1]),
        "test_images": torch.ones(2, 3, 5, 1, dtype=torch.uint8),
        "test_labels": torch.tensor([1, 0]),
        "classes": ("a", "b"),
        "source": "made here",
    }
    return ImageData(**(parts | changes))


def test_the_fingerprint_is_of_the_arrays_alone():
    base = image_data().fingerprint
    assert image_data(name="y", source="z").fingerprint == base
    strided = torch.zeros(4, 3, 5, 2, dtype=torch.uint8)[..., :1]
    assert image_data(train_images=strided).fingerprint == base
    one = torch.zeros(4, 3, 5, 1, dtype=torch.uint8)
    one[3, 2, 4, 0] = 1
    others = [
        image_data(train_images=one),
        image_data(train_labels=torch.tensor([1, 1, 0, 1])),
        image_data(test_labels=torch.tensor([0, 0])),
        image_data(
            train_images=torch.zeros(4, 5, 3, 1, dtype=torch.uint8),
            test_images=torch.ones(2, 5, 3, 1, dtype=torch.uint8),
        ),
    ]
    assert len({base, *(o.fingerprint for o in others)}) == 5


def test_image_data_is_frozen():
    with pytest.raises(AttributeError):
        image_data().name = "other"


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"train_images": torch.zeros(4, 3, 5, 1)}, "must be uint8"),
        ({"train_images": torch.zeros(4, 3, 5, dtype=torch.uint8)}, "must be uint8"),
        ({"train_images": torch.zeros(4, 3, 5, 2, dtype=torch.uint8)}, "must be uint8"),
        ({"train_labels": torch.tensor([0, 1, 0])}, r"int64 \(4,\)"),
        ({"test_labels": torch.tensor([0.0, 1.0])}, "test labels must be int64"),
        ({"test_labels": torch.tensor([0, 2])}, "test label 2 at index 1"),
        ({"train_labels": torch.tensor([0, -1, 0, 0])}, "train label -1 at index 1"),
        ({"test_images": torch.ones(2, 3, 4, 1, dtype=torch.uint8)}, "must be alike"),
        (
            {
                "test_images": torch.ones(0, 3, 5, 1, dtype=torch.uint8),
                "test_labels": torch.tensor([]).long(),
            },
            "empty",
        ),
    ],
)
def test_image_data_checks_its_arrays(changes, match):
    with pytest.raises(DatasetError, match=match):
        image_data(**changes)
