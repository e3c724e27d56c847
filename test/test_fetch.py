"""Large files over HTTP, from a server on this machine: cut connections, resuming, wrong files, no space."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openpose_ros.commands import download
from openpose_ros.fetch import MIRROR, FetchError, Remote, difference, fetch, require_space
from openpose_ros.training.data import coco2017

CONTENT = bytes(range(256)) * 20_000


def remote(server: Any, content: bytes = CONTENT) -> Remote:
    server.files["/a/big.zip"] = content
    return Remote(f"{server.address}/a/big.zip", len(content), f"md5:{hashlib.md5(content).hexdigest()}")


def test_a_file_arrives_whole(server: Any, tmp_path: Path) -> None:
    told: list[int] = []
    path = fetch(remote(server), tmp_path / "new", told.append)
    assert path.read_bytes() == CONTENT
    assert sum(told) == len(CONTENT)
    assert [file.name for file in path.parent.iterdir()] == ["big.zip"]


def test_a_cut_connection_goes_on_where_it_was(server: Any, tmp_path: Path) -> None:
    server.cuts = 3
    told: list[int] = []
    assert fetch(remote(server), tmp_path, told.append, wait=0.0).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=1000000-", "bytes=2000000-", "bytes=3000000-"]
    assert sum(told) == len(CONTENT)


def test_a_later_call_goes_on_with_what_an_earlier_one_left(server: Any, tmp_path: Path) -> None:
    (tmp_path / "big.zip.part").write_bytes(CONTENT[:4321])
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=4321-"]


def test_a_server_that_cannot_go_on_begins_again(server: Any, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "big.zip.part").write_bytes(CONTENT[:4321])
    told: list[int] = []
    assert fetch(remote(server), tmp_path, told.append).read_bytes() == CONTENT
    assert sum(told) == len(CONTENT)


def test_a_complete_file_is_not_fetched_again(server: Any, tmp_path: Path) -> None:
    there = remote(server)
    fetch(there, tmp_path)
    fetch(there, tmp_path)
    assert len(server.asked) == 1


def test_what_was_not_published_is_removed_and_named(server: Any, tmp_path: Path) -> None:
    there = remote(server)
    server.files["/a/big.zip"] = b"x" * len(CONTENT)
    with pytest.raises(FetchError, match="big.zip has md5 .* expected .* not what was published"):
        fetch(there, tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_size_is_refused_before_it_is_fetched(server: Any, tmp_path: Path) -> None:
    there = remote(server)
    server.files["/a/big.zip"] = CONTENT[:-1]
    with pytest.raises(FetchError, match=f"it has {len(CONTENT) - 1} bytes there, expected {len(CONTENT)}"):
        fetch(there, tmp_path)


def test_a_file_that_is_not_there_is_no_reason_to_wait(server: Any, tmp_path: Path) -> None:
    there = replace(remote(server), url=f"{server.address}/b/other.zip")
    with pytest.raises(FetchError, match="other.zip cannot be fetched: HTTP Error 404"):
        fetch(there, tmp_path, wait=100.0)


def test_who_cannot_be_reached_is_named_after_some_tries(server: Any, tmp_path: Path) -> None:
    there = remote(server)
    server.after = 0
    server.cuts = 99
    with pytest.raises(FetchError, match=f"0 of {len(CONTENT)} bytes are there, the same command goes on"):
        fetch(there, tmp_path, wait=0.0)
    assert len(server.asked) == 5


def test_without_room_nothing_begins(tmp_path: Path) -> None:
    require_space(tmp_path / "not" / "there" / "yet", 1)
    with pytest.raises(FetchError, match=r"not has room for .* GB; 1000000000.0 GB are needed"):
        require_space(tmp_path / "not", 10**18)


def test_a_file_of_unknown_size_is_known_by_its_digest(server: Any, tmp_path: Path) -> None:
    there = replace(remote(server), size=0)
    server.cuts = 2
    assert fetch(there, tmp_path, wait=0.0).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=1000000-", "bytes=2000000-"]
    (tmp_path / "big.zip").unlink()
    (tmp_path / "big.zip.part").write_bytes(CONTENT)  # it ended just before it was renamed
    assert fetch(there, tmp_path, wait=0.0).read_bytes() == CONTENT


def test_a_file_on_a_disk_is_copied(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "a file.bin").write_bytes(CONTENT)
    url = (tmp_path / "mirror" / "a file.bin").as_uri()
    there = Remote(url, len(CONTENT), f"sha384:{hashlib.sha384(CONTENT).hexdigest()}")
    told: list[int] = []
    assert fetch(there, tmp_path / "to", told.append).read_bytes() == CONTENT
    assert sum(told) == len(CONTENT)
    with pytest.raises(FetchError, match="has 5120000 bytes, expected 7"):
        fetch(replace(there, size=7), tmp_path / "other")
    with pytest.raises(FetchError, match=r"there is no file .*none.bin"):
        fetch(replace(there, url=(tmp_path / "none.bin").as_uri()), tmp_path / "other")


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256", "sha384"])
def test_every_usual_digest_is_compared(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    assert difference(path, f"{kind}:{hashlib.new(kind, CONTENT).hexdigest()}") == ""
    assert re.match(f"has {kind} [0-9a-f]+, expected 00$", difference(path, f"{kind}:00"))
    assert difference(path, "") == ""


def test_git_s_name_of_a_file_is_a_digest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"what git calls a blob\n")
    done = subprocess.run(["git", "hash-object", str(path)], capture_output=True, text=True, check=True)
    assert difference(path, f"git:{done.stdout.strip()}") == ""
    path.write_bytes(b"another one\n")
    assert "expected " + done.stdout.strip() in difference(path, f"git:{done.stdout.strip()}")


def archive(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as members:
        for name in names:
            members.writestr(name, name * 100)
    return stream.getvalue()


@pytest.fixture
def coco(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A tiny COCO under the paths of the large one."""
    contents = {
        "annotations": archive("annotations/person_keypoints_val2017.json", "annotations/captions_val2017.json"),
        "val": archive("val2017/000000000001.jpg", "val2017/000000000002.jpg"),
        "train": archive("train2017/000000000003.jpg"),
    }
    for name, content in contents.items():
        part = coco2017.PARTS[name]
        tiny = Remote(part.remote.url, len(content), f"md5:{hashlib.md5(content).hexdigest()}")
        monkeypatch.setitem(coco2017.PARTS, name, replace(part, remote=tiny, unpacked=10_000))
        server.files[part.remote.url.removeprefix(coco2017.SERVER)] = content
    return server


def test_coco_is_fetched_unpacked_and_its_terms_are_shown(
    coco: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert download.main(["coco2017", "--to", str(tmp_path / "coco"), "--server", coco.address]) == 0
    told = capsys.readouterr().out
    assert "CC BY 4.0" in told and "Flickr" in told
    found = {str(p.relative_to(tmp_path / "coco")) for p in (tmp_path / "coco").rglob("*.j*")}
    assert found == {
        "annotations/person_keypoints_val2017.json", "train2017/000000000003.jpg", "val2017/000000000001.jpg",
        "val2017/000000000002.jpg",
    }  # fmt: skip
    assert not list((tmp_path / "coco").glob("*.zip*"))


def test_a_mirror_of_the_environment_takes_the_server_s_place(
    coco: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MIRROR, f"{coco.address}/")
    assert download.main(["coco2017", "--to", str(tmp_path), "--only", "val"]) == 0
    mirror = tmp_path / "mirror" / "annotations"
    mirror.mkdir(parents=True)
    (mirror / "annotations_trainval2017.zip").write_bytes(coco.files["/annotations/annotations_trainval2017.zip"])
    given = ["--only", "annotations", "--mirror", (tmp_path / "mirror").as_uri()]
    assert download.main(["coco2017", "--to", str(tmp_path), *given]) == 0
    assert (tmp_path / "annotations" / "person_keypoints_val2017.json").is_file()
    assert len(coco.asked) == 1


def test_what_was_unpacked_is_not_fetched_again(coco: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["coco2017", "--to", str(tmp_path), "--server", coco.address, "--only", "val", "annotations"]
    assert download.main(arguments) == 0
    assert len(coco.asked) == 2
    assert download.main(arguments) == 0
    assert len(coco.asked) == 2
    assert "val2017.zip: was complete" in capsys.readouterr().out
    assert not (tmp_path / "train2017").exists()


def test_an_interrupted_coco_goes_on(
    coco: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    coco.cuts, coco.after = 99, 0
    arguments = ["coco2017", "--to", str(tmp_path), "--server", coco.address, "--only", "val"]
    assert download.main(arguments) == 1
    assert re.search("val2017.zip cannot be fetched: .*the same command goes on", capsys.readouterr().err)
    coco.cuts = 0
    assert download.main(arguments) == 0
    assert (tmp_path / "val2017" / "000000000001.jpg").is_file()


def test_the_published_sizes_are_what_the_help_says() -> None:
    sizes = {name: part.remote.size / 1e9 for name, part in coco2017.PARTS.items()}
    assert {name: round(size, 1) for name, size in sizes.items()} == {"annotations": 0.3, "val": 0.8, "train": 19.3}
    assert round(sum(sizes.values()), 1) == 20.4
