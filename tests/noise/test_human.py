"""Files of labels that people gave: read in every layout, and never run."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from sce_lib.noise import load_human_labels, realised_matrix

CLEAN = np.array([0, 1, 2, 2, 1, 0, 2, 1])
WORSE = np.array([0, 1, 2, 0, 1, 1, 2, 2])


@pytest.fixture(params=["zip", "legacy", "tensors", "int32"])
def human_file(tmp_path, request):
    """A file in the real layout, as each torch and numpy writes it."""
    content = {"clean_label": CLEAN, "aggre_label": CLEAN.copy(), "worse_label": WORSE}
    if request.param == "tensors":
        content = {key: torch.from_numpy(value) for key, value in content.items()}
    if request.param == "int32":
        content = {key: value.astype(np.int32) for key, value in content.items()}
    path = tmp_path / "CIFAR-10_human.pt"
    torch.save(content, path, _use_new_zipfile_serialization=request.param != "legacy")
    return path


def test_human_labels(human_file):
    noisy = load_human_labels(human_file, "worse_label")
    np.testing.assert_array_equal(noisy.labels, WORSE)
    np.testing.assert_array_equal(noisy.clean, CLEAN)
    np.testing.assert_array_equal(noisy.flipped, CLEAN != WORSE)
    np.testing.assert_array_equal(noisy.realised, realised_matrix(CLEAN, WORSE, 3))
    np.testing.assert_array_equal(noisy.requested, noisy.realised)
    assert load_human_labels(human_file, "aggre_label").rate == 0


def test_human_labels_of_some_images(human_file):
    index = torch.tensor([7, 0, 3])
    noisy = load_human_labels(human_file, "worse_label", index=index, clean=torch.from_numpy(CLEAN)[index])
    assert isinstance(noisy.labels, torch.Tensor)
    assert noisy.labels.tolist() == WORSE[[7, 0, 3]].tolist()
    assert noisy.realised.shape == (3, 3)
    np.testing.assert_array_equal(noisy.requested, realised_matrix(CLEAN, WORSE, 3))
    with pytest.raises(ValueError, match=r"label 8 at index 1; allowed 0\.\.7"):
        load_human_labels(human_file, "worse_label", index=[0, 8])


def test_human_labels_that_belong_to_other_data_are_refused(human_file):
    other = CLEAN.copy()
    other[5] = 2
    with pytest.raises(ValueError, match=r"index 5 is 2, but CIFAR-10_human\.pt has 0"):
        load_human_labels(human_file, "worse_label", clean=other)
    with pytest.raises(ValueError, match="7 labels given, 8 in"):
        load_human_labels(human_file, "worse_label", clean=CLEAN[:7])
    with pytest.raises(ValueError, match=r"'worst' in CIFAR-10_human\.pt; it has aggre_label, worse_label"):
        load_human_labels(human_file, "worst")
    with pytest.raises(ValueError, match="no human labels 'clean_label'"):
        load_human_labels(human_file, "clean_label")


def test_fine_and_coarse_labels_each_go_with_their_own_clean_ones(tmp_path):
    path = tmp_path / "CIFAR-100_human.pt"
    fine = {"clean_label": np.array([0, 99]), "noisy_label": np.array([1, 99])}
    coarse = {"clean_coarse_label": np.array([4, 13]), "noisy_coarse_label": np.array([4, 19])}
    torch.save(fine | coarse, path)
    assert load_human_labels(path, "noisy_label").flipped.tolist() == [True, False]
    noisy = load_human_labels(path, "noisy_coarse_label")
    assert noisy.clean.tolist() == [4, 13]
    assert noisy.num_classes == 20
    assert np.isfinite(noisy.requested).all()


class Malicious:
    """Unpickled by Python itself, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("layout", ["zip", "legacy", "handmade", "pickle"])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, layout):
    path, victim = tmp_path / "CIFAR-10_human.pt", tmp_path / "was_run"
    content = {"clean_label": CLEAN, "worse_label": Malicious(str(victim))}
    if layout == "handmade":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(content, protocol=2))
            archive.writestr("archive/version", "3")
    elif layout == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=layout == "zip")
    with pytest.raises(ValueError, match=r"CIFAR-10_human\.pt was refused|damaged"):
        load_human_labels(path, "worse_label")
    assert not victim.exists()
    # The file would have done harm, read the usual way.
    if layout in ("zip", "legacy"):
        torch.load(path, weights_only=False)
        assert victim.exists()


def test_files_that_are_no_label_files_are_named(tmp_path):
    path = tmp_path / "labels.pt"
    with pytest.raises(FileNotFoundError, match=r"labels\.pt"):
        load_human_labels(path, "worse_label")
    good = tmp_path / "good.pt"
    torch.save({"clean_label": CLEAN, "worse_label": WORSE}, good)
    for content in (b"", b"not a torch file", good.read_bytes()[:200]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"labels\.pt"):
            load_human_labels(path, "worse_label")
    for odd in (
        [1, 2],
        {1: CLEAN},
        {"worse_label": WORSE},
        {"clean_label": CLEAN, "worse_label": WORSE[:3]},
        {"clean_label": CLEAN, "worse_label": WORSE / 2},
        {"clean_label": CLEAN, "worse_label": WORSE - 1},
        {"clean_label": CLEAN, "worse_label": "none"},
    ):
        torch.save(odd, path)
        with pytest.raises(ValueError, match=r"labels\.pt"):
            load_human_labels(path, "worse_label")


def real_human_file():
    path = Path(os.environ.get("SCE_DATA", "")) / "CIFAR-10_human.pt"
    if not os.environ.get("SCE_DATA") or not path.exists():
        pytest.skip("set SCE_DATA to a folder with CIFAR-10_human.pt (CIFAR-10N's human labels)")
    return path


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("kind", "rate"),
    [("aggre_label", 0.0901), ("worse_label", 0.4021), ("random_label1", 0.1723), ("random_label2", 0.1812)],
)
def test_cifar10n_has_its_noise(kind, rate):
    # As published, but for the aggregate: its paper says 9.03 %, its file 9.01 %.
    noisy = load_human_labels(real_human_file(), kind)
    assert len(noisy) == 50_000
    assert noisy.clean[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert np.bincount(noisy.clean).tolist() == [5000] * 10
    assert noisy.rate == pytest.approx(rate, abs=5e-5)
    assert noisy.realised.shape == (10, 10)
    assert noisy.realised.dtype == np.float64
    assert (noisy.realised >= 0).all()
    np.testing.assert_allclose(noisy.realised.sum(axis=1), 1, atol=1e-12)
