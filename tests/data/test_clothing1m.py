"""Clothing1M in its official layout, read image by image, and each way in which a tree can be broken."""

import pickle

import numpy as np
import pytest
import torch
from image_trees import Clothing, encode
from PIL import Image
from torch.utils.data import DataLoader

from sce_lib.data import (
    DatasetError,
    DatasetNotFound,
    clothing1m,
    load_clothing1m,
    pixel_statistics,
)
from sce_lib.data.augmentation import normalise
from sce_lib.data.made import CLOTHES


@pytest.fixture
def clothing(tmp_path):
    return Clothing(tmp_path / "data" / "clothing1m")


@pytest.mark.parametrize("texts_in", ["", "annotations"])
def test_splits_labels_and_names(clothing, texts_in):
    clothing.write(texts_in)
    data = load_clothing1m()
    assert data.classes == CLOTHES
    assert (data.num_classes, data.image_shape) == (14, (224, 224, 3))
    assert [len(s) for s in (data.train, data.clean_train, data.val, data.test)] == [30, 6, 5, 4]
    assert data.train.labels.tolist() == [(3 * k) % 14 for k in range(30)]
    assert data.test.labels.tolist() == [0, 3, 6, 9]
    assert data.train.labels.dtype == torch.int64
    assert data.val.key(2) == "images/2/02/clean_val,2.jpg"


def test_a_tree_with_fewer_images_than_the_data_set_does_not_pass_for_it(clothing, monkeypatch):
    root = clothing.write()
    assert load_clothing1m(root).source == clothing1m.SOURCE_OF_A_PART
    monkeypatch.setattr(clothing1m, "WHOLE", 30)  # who has a million images for a test?
    assert load_clothing1m(root).source == clothing1m.SOURCE


def test_an_image_is_resized_and_cropped_at_the_centre(clothing):
    root = clothing.write()
    image, label = load_clothing1m(root).train[7]
    with Image.open(root / "images/7/07/noisy_train,7.jpg") as source:
        expected = source.resize((256, 256), Image.Resampling.BILINEAR).crop((16, 16, 240, 240))
    assert image.dtype == torch.uint8
    np.testing.assert_array_equal(image.numpy(), np.asarray(expected))
    assert label == 21 % 14


def test_grayscale_files_become_rgb(clothing):
    root = clothing.write()
    (root / "images/0/00/noisy_train,0.jpg").write_bytes(encode(np.full((9, 9), 77, np.uint8), "JPEG"))
    image, _ = load_clothing1m(root, resize=8, crop=4).train[0]
    assert image.shape == (4, 4, 3)
    assert (image == 77).all()


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_have_their_mean_subtracted_on_the_device(clothing, workers):
    data = load_clothing1m(clothing.write(), resize=16, crop=12)
    images, labels = next(iter(DataLoader(data.train, batch_size=30, num_workers=workers)))
    assert images.shape == (30, 12, 12, 3)
    assert torch.equal(labels, data.train.labels)
    statistics = data.statistics(num_workers=workers)
    assert torch.equal(statistics.mean, pixel_statistics(images).mean)
    x = normalise(images, mean=statistics.mean)
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(3), atol=1e-6, rtol=0)


def test_statistics_are_of_a_seeded_sample_and_kept(clothing, own_cache):
    data = load_clothing1m(clothing.write(), resize=8, crop=8)
    first = data.statistics(n=10, seed=1)
    for path in clothing.root.rglob("*.jpg"):
        path.unlink()
    assert torch.equal(data.statistics(n=10, seed=1).mean, first.mean)
    with pytest.raises(DatasetError, match="is missing"):
        data.statistics(n=10, seed=2)


def test_noise_is_counted_without_the_test_images(clothing):
    counts = load_clothing1m(clothing.write()).noise_counts
    expected = torch.zeros(14, 14, dtype=torch.int64)
    expected[0, 13] += 1
    expected[3, 13] += 2
    assert torch.equal(counts, expected)


def test_the_fingerprint_follows_keys_and_labels(clothing):
    first = load_clothing1m(clothing.write()).fingerprint
    assert load_clothing1m(clothing.write()).fingerprint == first
    clothing.texts["noisy_label_kv.txt"][4] = clothing.texts["noisy_label_kv.txt"][4].rsplit(" ", 1)[0] + " 5"
    assert load_clothing1m(clothing.write()).fingerprint != first


def test_it_survives_the_way_to_a_worker(clothing):
    train = load_clothing1m(clothing.write(), resize=8, crop=8).train
    assert torch.equal(pickle.loads(pickle.dumps(train))[3][0], train[3][0])


def test_indices_are_those_of_a_sequence(clothing):
    train = load_clothing1m(clothing.write(), resize=8, crop=8).train
    assert torch.equal(train[-1][0], train[29][0])
    for index in (30, -31):
        with pytest.raises(IndexError, match="30 images"):
            train[index]


def test_a_missing_image_is_named_with_its_line(clothing):
    root = clothing.write()
    (root / "images/2/02/clean_val,2.jpg").unlink()
    match = r"clean_val,2\.jpg \(.*clean_val_key_list\.txt:3\) is missing"
    with pytest.raises(DatasetError, match=match):
        load_clothing1m(root)
    data = load_clothing1m(root, check_images=False)
    with pytest.raises(DatasetError, match=match):
        data.val[2]


@pytest.mark.parametrize("content", [b"", b"no image", "half"])
def test_a_broken_image_is_named_with_its_line(clothing, content):
    root = clothing.write()
    file = root / "images/0/20/noisy_train,20.jpg"
    file.write_bytes(file.read_bytes()[:500] if content == "half" else content)
    match = r"noisy_train,20\.jpg \(.*noisy_train_key_list\.txt:21\) cannot be decoded"
    with pytest.raises(DatasetError, match=match):
        load_clothing1m(root).train[20]


TEXTS = [
    "category_names_eng.txt",
    "noisy_label_kv.txt",
    "clean_label_kv.txt",
    "noisy_train_key_list.txt",
    "clean_train_key_list.txt",
    "clean_val_key_list.txt",
    "clean_test_key_list.txt",
]


@pytest.mark.parametrize("name", TEXTS)
def test_a_missing_text_file_is_named(clothing, name):
    del clothing.texts[name]
    with pytest.raises(DatasetNotFound, match=name):
        load_clothing1m(clothing.write())


def test_a_missing_folder_says_where_and_how(make):
    with pytest.raises(DatasetNotFound, match=r"clothing1m.*ask them"):
        load_clothing1m()


@pytest.mark.parametrize(
    ("name", "line", "match"),
    [
        ("noisy_label_kv.txt", "images/0/00/x.jpg", "noisy_label_kv.txt:3: .*is not 'key label'"),
        ("noisy_label_kv.txt", "images/0/00/x.jpg 1 2", "noisy_label_kv.txt:3: .*is not 'key label'"),
        ("clean_label_kv.txt", "images/0/00/x.jpg 14", "clean_label_kv.txt:3: .*from 0 to 13"),
        ("clean_label_kv.txt", "images/0/00/x.jpg -1", "clean_label_kv.txt:3: .*from 0 to 13"),
        ("clean_label_kv.txt", "images/0/00/x.jpg dress", "clean_label_kv.txt:3: .*from 0 to 13"),
        ("clean_label_kv.txt", "images/0/00/clean_train,0.jpg 9", "clean_label_kv.txt:3: .*earlier line"),
        ("clean_val_key_list.txt", "images/0/00/new.jpg", "list.txt:3: .*has no label in .*clean_label_kv"),
        ("clean_val_key_list.txt", "images/0/00/a b.jpg", "list.txt:3: .*is not a key"),
        ("clean_val_key_list.txt", "/images/0.jpg", "list.txt:3: .*is not a key"),
        ("clean_val_key_list.txt", "../0.jpg", "list.txt:3: .*is not a key"),
        ("clean_val_key_list.txt", "images/0/00/clean_val,0.jpg", "list.txt:3: .*in line 1 already"),
        ("category_names_eng.txt", "Hat", "must hold 14 different"),
    ],
)
def test_a_malformed_line_is_named(clothing, name, line, match):
    clothing.texts[name].insert(2, line)
    with pytest.raises(DatasetError, match=match):
        load_clothing1m(clothing.write())


@pytest.mark.parametrize("name", [n for n in TEXTS if "key_list" in n])
def test_an_empty_list_is_named(clothing, name):
    clothing.texts[name] = ["", "  "]
    with pytest.raises(DatasetError, match=f"{name} lists no images"):
        load_clothing1m(clothing.write())


def test_blank_lines_and_windows_ends_do_no_harm(clothing):
    expected = load_clothing1m(clothing.write()).fingerprint
    for lines in clothing.texts.values():
        lines.insert(1, "")
    root = clothing.write()
    for name in clothing.texts:
        path = root / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_clothing1m(root).fingerprint == expected


def test_text_that_is_none_is_named(clothing):
    root = clothing.write()
    (root / "noisy_label_kv.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"noisy_label_kv\.txt is not UTF-8"):
        load_clothing1m(root)


@pytest.mark.parametrize(("resize", "crop"), [(8, 9), (8, 0), (0, 0)])
def test_the_crop_must_fit(clothing, resize, crop):
    with pytest.raises(DatasetError, match="crop must be 1 to resize"):
        load_clothing1m(clothing.write(), resize=resize, crop=crop)
