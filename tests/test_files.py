"""Files that are written whole or not at all, and damaged ones that are kept."""

import os
import resource
import stat
import threading
import time

import pytest

from sce_lib.files import remove_stale, set_aside, write_atomically


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_replaced_and_readable_by_others(tmp_path):
    path = tmp_path / "new" / "folder" / "file.json"
    for content in (b"first", b"", b"x" * 100_000):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert names(path.parent) == ["file.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_write_cut_short_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OSError, match=f"too large.*{tmp_path.name}"):
            write_atomically(path, b"n" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_content_that_is_no_bytes_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "text")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_folder_in_the_way_is_an_error_and_no_litter_stays(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "file", b"content")
    assert names(tmp_path) == ["file"]


@pytest.fixture
def small_disk(mount_disk):
    """A disk of 64 KB."""
    return mount_disk("64k")


def test_a_full_disk_leaves_the_old_file_and_no_litter(small_disk):
    path = small_disk / "file"
    write_atomically(path, b"old" * 1000)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"n" * 100_000)
    assert path.read_bytes() == b"old" * 1000
    assert names(small_disk) == ["file"]
    write_atomically(path, b"small again")
    assert path.read_bytes() == b"small again"


def test_readers_see_one_writers_whole_content(tmp_path):
    path = tmp_path / "file"
    contents = {bytes([letter]) * 20_000 for letter in b"abc"}
    write_atomically(path, b"a" * 20_000)
    writers = [
        threading.Thread(target=lambda content=content: [write_atomically(path, content) for _ in range(20)])
        for content in contents
    ]
    for writer in writers:
        writer.start()
    seen = {path.read_bytes() for _ in range(300)}
    for writer in writers:
        writer.join()
    assert seen <= contents
    assert names(tmp_path) == ["file"]


def test_damaged_files_are_kept_under_names_of_their_own(tmp_path):
    path = tmp_path / "run.json"
    for number in (1, 2, 3):
        path.write_bytes(b"damage %d" % number)
        with pytest.warns(UserWarning, match=rf"run\.json.*cut short.*run\.json\.damaged-{number}"):
            set_aside(path, "cut short")
        assert not path.exists()
    assert [(tmp_path / f"run.json.damaged-{n}").read_bytes() for n in (1, 2, 3)] == [
        b"damage 1",
        b"damage 2",
        b"damage 3",
    ]


def test_no_earlier_damaged_file_is_overwritten_where_one_is_gone(tmp_path):
    path = tmp_path / "run.json"
    (tmp_path / "run.json.damaged-2").write_bytes(b"earlier")
    for content in (b"one", b"three"):
        path.write_bytes(content)
        with pytest.warns(UserWarning, match="damaged"):
            set_aside(path, "why")
    assert (tmp_path / "run.json.damaged-2").read_bytes() == b"earlier"
    assert (tmp_path / "run.json.damaged-1").read_bytes() == b"one"
    assert (tmp_path / "run.json.damaged-3").read_bytes() == b"three"


def test_a_file_that_cannot_be_renamed_is_said_to_be_left(tmp_path):
    with pytest.warns(UserWarning, match="left in place"):
        set_aside(tmp_path / "taken by someone else", "why")


def test_parts_of_writers_long_gone_are_removed_and_nothing_else(tmp_path):
    (tmp_path / "deep").mkdir()
    old_parts = [tmp_path / ".record.json.k2x9.part", tmp_path / "deep" / ".run.pt.a.part"]
    young = tmp_path / ".record.json.abcd.part"
    others = [tmp_path / name for name in ("record.json", "record.json.damaged-1", "mine.part", ".hidden")]
    for path in (*old_parts, young, *others):
        path.write_bytes(b"content")
    for path in (*old_parts, *others):
        os.utime(path, times=(time.time() - 90_000,) * 2)
    remove_stale(tmp_path)
    assert [path for path in old_parts if path.exists()] == []
    assert all(path.exists() for path in (young, *others))
    remove_stale(tmp_path, seconds=-1)
    assert not young.exists()
    remove_stale(tmp_path / "nowhere")
