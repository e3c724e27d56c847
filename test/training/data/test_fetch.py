"""Large files over HTTP, from a server on this machine: cut connections, resuming, wrong files, no space."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from openpose_ros.commands import download
from openpose_ros.training.data import coco2017
from openpose_ros.training.data.fetch import FetchError, Remote, fetch, require_space

CONTENT = bytes(range(256)) * 20_000


class Server:
    """Files by path; ``cuts`` many answers end after ``after`` bytes."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cuts = 0
        self.after = 1_000_000
        self.ranges = True
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = outer.files.get(self.path)
                wanted = self.headers.get("Range", "")
                outer.asked.append(wanted)
                if content is None:
                    self.send_error(404)
                    return
                begin = int(wanted[6:-1]) if wanted and outer.ranges else 0
                self.send_response(206 if begin else 200)
                self.send_header("Content-Length", str(len(content) - begin))
                self.end_headers()
                end = len(content)
                if outer.cuts:
                    outer.cuts -= 1
                    end = min(end, begin + outer.after)
                self.wfile.write(content[begin:end])

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    served = Server()
    yield served
    served.http.shutdown()
    served.http.server_close()


def remote(server: Server, content: bytes = CONTENT) -> Remote:
    server.files["/a/big.zip"] = content
    return Remote(f"{server.address}/a/big.zip", len(content), hashlib.md5(content).hexdigest())


def test_a_file_arrives_whole(server: Server, tmp_path: Path) -> None:
    told: list[int] = []
    path = fetch(remote(server), tmp_path / "new", told.append)
    assert path.read_bytes() == CONTENT
    assert sum(told) == len(CONTENT)
    assert [file.name for file in path.parent.iterdir()] == ["big.zip"]


def test_a_cut_connection_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    server.cuts = 3
    told: list[int] = []
    assert fetch(remote(server), tmp_path, told.append, wait=0.0).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=1000000-", "bytes=2000000-", "bytes=3000000-"]
    assert sum(told) == len(CONTENT)


def test_a_later_call_goes_on_with_what_an_earlier_one_left(server: Server, tmp_path: Path) -> None:
    (tmp_path / "big.zip.part").write_bytes(CONTENT[:4321])
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=4321-"]


def test_a_server_that_cannot_go_on_begins_again(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "big.zip.part").write_bytes(CONTENT[:4321])
    told: list[int] = []
    assert fetch(remote(server), tmp_path, told.append).read_bytes() == CONTENT
    assert sum(told) == len(CONTENT)


def test_a_complete_file_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    there = remote(server)
    fetch(there, tmp_path)
    fetch(there, tmp_path)
    assert len(server.asked) == 1


def test_what_was_not_published_is_removed_and_named(server: Server, tmp_path: Path) -> None:
    there = remote(server)
    server.files["/a/big.zip"] = b"x" * len(CONTENT)
    with pytest.raises(FetchError, match="big.zip has MD5 .* expected .* not what was published"):
        fetch(there, tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_size_is_refused_before_it_is_fetched(server: Server, tmp_path: Path) -> None:
    there = remote(server)
    server.files["/a/big.zip"] = CONTENT[:-1]
    with pytest.raises(FetchError, match=f"it has {len(CONTENT) - 1} bytes there, expected {len(CONTENT)}"):
        fetch(there, tmp_path)


def test_a_file_that_is_not_there_is_no_reason_to_wait(server: Server, tmp_path: Path) -> None:
    there = replace(remote(server), url=f"{server.address}/b/other.zip")
    with pytest.raises(FetchError, match="other.zip cannot be fetched: HTTP Error 404"):
        fetch(there, tmp_path, wait=100.0)


def test_who_cannot_be_reached_is_named_after_some_tries(server: Server, tmp_path: Path) -> None:
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


def archive(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as members:
        for name in names:
            members.writestr(name, name * 100)
    return stream.getvalue()


@pytest.fixture
def coco(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A tiny COCO under the paths of the large one."""
    contents = {
        "annotations": archive("annotations/person_keypoints_val2017.json", "annotations/captions_val2017.json"),
        "val": archive("val2017/000000000001.jpg", "val2017/000000000002.jpg"),
        "train": archive("train2017/000000000003.jpg"),
    }
    for name, content in contents.items():
        part = coco2017.PARTS[name]
        tiny = Remote(part.remote.url, len(content), hashlib.md5(content).hexdigest())
        monkeypatch.setitem(coco2017.PARTS, name, replace(part, remote=tiny, unpacked=10_000))
        server.files[part.remote.url.removeprefix(coco2017.SERVER)] = content
    return server


def test_coco_is_fetched_unpacked_and_its_terms_are_shown(
    coco: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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


def test_what_was_unpacked_is_not_fetched_again(
    coco: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["coco2017", "--to", str(tmp_path), "--server", coco.address, "--only", "val", "annotations"]
    assert download.main(arguments) == 0
    assert len(coco.asked) == 2
    assert download.main(arguments) == 0
    assert len(coco.asked) == 2
    assert "val2017.zip: was complete" in capsys.readouterr().out
    assert not (tmp_path / "train2017").exists()


def test_an_interrupted_coco_goes_on(
    coco: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
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
