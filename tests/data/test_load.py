"""The door itself: names, where a data set is looked for, and the one error."""

import pytest

from sce_lib.data import KNOWN_DATASETS, DatasetError, DatasetNotFound, load_dataset
from sce_lib.data.official import OFFICIAL


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "/etc", "~", "a b", "x\0", ".x", "ü"])
def test_malformed_names(name):
    with pytest.raises(DatasetError, match="must be letters"):
        load_dataset(name)


@pytest.mark.parametrize("name", [None, 3, b"mnist"])
def test_names_are_text(name):
    with pytest.raises(TypeError, match="is a str"):
        load_dataset(name)


def test_an_unknown_name_says_what_where_and_how(make, offline):
    with pytest.raises(DatasetNotFound) as caught:
        load_dataset("flowers")
    message = str(caught.value)
    for piece in ("'flowers'", *KNOWN_DATASETS, "clothing1m", "SCE_DATA", "download=True", "image tree"):
        assert piece in message
    assert f"{make.root / 'flowers'}/{{train,test}}/<class>/<file>" in message
    assert f"{make.root / 'flowers.zip'}" in message
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("CIFAR10", "cifar10"), ("fashionmnist", "fashion_mnist"), ("Clothing1M", "clothing1m")],
)
def test_a_near_miss_is_guessed(name, meant):
    with pytest.raises(DatasetNotFound, match=f"Did you mean '{meant}'"):
        load_dataset(name)


@pytest.mark.parametrize("name", [n for n in KNOWN_DATASETS if n != "digits"])
def test_no_network_is_told_and_leaves_nothing_behind(name, make, offline):
    with pytest.raises(DatasetNotFound, match="refused") as caught:
        load_dataset(name)
    assert str(make.root / OFFICIAL[name].reader.__name__) in str(caught.value) or "cifar" in name
    assert not make.root.exists()
    with pytest.raises(DatasetNotFound, match="download=False"):
        load_dataset(name, download=False)


def test_clothing1m_has_a_door_of_its_own():
    with pytest.raises(DatasetError, match="load_clothing1m"):
        load_dataset("clothing1m")


def test_root_may_be_text_or_path_and_comes_before_the_environment(make, tmp_path):
    files, _ = make.images()
    other = type(make)(tmp_path / "other")
    other.folder("mine", files)
    for root in (str(other.root), other.root):
        assert load_dataset("mine", root=root).name == "mine"
    with pytest.raises(DatasetNotFound):
        load_dataset("mine")
