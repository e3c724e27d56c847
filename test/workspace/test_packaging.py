"""What is released: manifests that agree with each other and with the sources, and a tidy set of files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import openpose_ros
from openpose_ros.commands import COMMANDS

ROOT = Path(__file__).parents[2]
PACKAGES = {"openpose_ros": ROOT, "openpose_msgs": ROOT / "openpose_msgs"}
LARGEST = 1_000_000  # bytes


def manifest(package: str) -> ElementTree.Element:
    return ElementTree.parse(PACKAGES[package] / "package.xml").getroot()


def named(package: str, *tags: str) -> set[str]:
    return {element.text or "" for tag in tags for element in manifest(package).iter(tag)}


def setup_argument(name: str) -> ast.expr:
    calls = [node for node in ast.walk(ast.parse((ROOT / "setup.py").read_text())) if isinstance(node, ast.Call)]
    call = next(call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "setup")
    return next(keyword.value for keyword in call.keywords if keyword.arg == name)


def files_in_git() -> list[Path]:
    """What is committed, and what `git add` would take."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not a git checkout, or no git: {error}")
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


@pytest.mark.parametrize("package", PACKAGES)
def test_manifest_is_what_ros_tools_accept(package: str) -> None:
    # The parser of colcon, rosdep and bloom; it refuses a missing licence, a bad e-mail address, a wrong version.
    catkin_pkg = pytest.importorskip("catkin_pkg.package", reason="catkin_pkg comes with colcon")
    parsed = catkin_pkg.parse_package(str(PACKAGES[package]))
    assert parsed.name == package
    assert parsed.package_format == 3
    assert parsed.licenses == ["Apache-2.0"]


def test_versions_agree() -> None:
    version = manifest("openpose_ros").findtext("version")
    assert manifest("openpose_msgs").findtext("version") == version
    assert ast.literal_eval(setup_argument("version")) == version
    assert openpose_ros.__version__ == version


@pytest.mark.parametrize("package", PACKAGES)
def test_changelog_ends_with_this_version(package: str) -> None:
    # Headings of released versions, newest first; "Forthcoming" may stand above them.
    text = (PACKAGES[package] / "CHANGELOG.rst").read_text()
    released = re.findall(r"^(\d+\.\d+\.\d+) \(\d{4}-\d\d-\d\d\)\n-+$", text, re.MULTILINE)
    assert released[0] == manifest(package).findtext("version")
    assert f"Changelog for package {package}" in text


def test_manifest_names_every_ros_package_that_is_imported() -> None:
    """A ROS package that the manifest forgets is missing on a user's robot, never here."""
    depends = named("openpose_ros", "exec_depend", "depend")
    ros = {"ament_index_python", "cv_bridge", "launch", "launch_ros", "message_filters", "rclpy", "tf2_ros"}
    optional = {"cv_bridge", "message_filters"}  # both have a stand-in of ours
    imported: set[str] = set()
    for path in [*ROOT.glob("openpose_ros/**/*.py"), *ROOT.glob("launch/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                imported.update(alias.name.split(".")[0] for alias in node.names)
    needed = {name for name in imported if name in ros or name.endswith(("_msgs", "_srvs", "_interfaces"))}
    assert needed - optional <= depends


def test_every_executable_has_a_module() -> None:
    missing = [
        command.module
        for command in COMMANDS.values()
        if not (ROOT / command.module.replace(".", "/")).with_suffix(".py").is_file()
    ]
    assert missing == []


def test_setup_installs_the_package_and_nothing_beside_it() -> None:
    code = (
        "import setuptools; from distutils.core import run_setup; d = run_setup('setup.py', stop_after='init');"
        "print(*d.packages); print(*(f for _, fs in d.data_files for f in fs)); print(*d.package_data['openpose_ros'])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    packages, files, beside = (line.split() for line in run.stdout.split("\n")[-4:-1])
    assert packages
    assert [name for name in packages if name.split(".")[0] != "openpose_ros"] == []
    folders = [path.parent for path in ROOT.glob("openpose_ros/**/*.py")]
    assert {str(folder.relative_to(ROOT)).replace("/", ".") for folder in folders} == set(packages)
    assert {"package.xml", "resource/openpose_ros", "config/fastdds.xml"} <= set(files)
    package = ROOT / "openpose_ros"
    data = [path for path in files_in_git() if package in path.parents and path.suffix != ".py"]
    assert sorted(str(path.relative_to(package)) for path in data) == beside


def test_lock_satisfies_what_the_package_declares() -> None:
    """The pins that make installs, for the running Python, lie within the bounds that setup.py promises."""
    requirements = pytest.importorskip("packaging.requirements")
    lines = [line for line in (ROOT / "workspace/lock.txt").read_text().splitlines() if line[:1].isalnum()]
    pins = {}
    for line in lines:
        pin = requirements.Requirement(line)
        if pin.marker is None or pin.marker.evaluate():
            pins[pin.name.lower().replace("_", "-")] = next(iter(pin.specifier)).version
    code = "from workspace.requirements import declared; print(*declared(), sep='\\n')"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    wanted = [requirements.Requirement(line) for line in run.stdout.splitlines()]
    assert {want.name for want in wanted} >= {"numpy", "pytest"}
    for want in wanted:
        name = want.name.lower().replace("_", "-")
        assert name in pins, f"{want} is not in workspace/lock.txt: make lock"
        assert pins[name] in want.specifier, f"{want} against {pins[name]} in workspace/lock.txt: make lock"


@pytest.mark.parametrize("folder", ["launch", "config", "model", "openpose_msgs"])
def test_folders_that_are_no_packages_stay_none(folder: str) -> None:
    # One __init__.py, and `import launch` in a checkout finds this folder instead of ROS's package.
    assert list((ROOT / folder).rglob("__init__.py")) == []


def test_only_model_holds_large_files() -> None:
    large = [
        str(path.relative_to(ROOT))
        for path in files_in_git()
        if path.stat().st_size > LARGEST and ROOT / "model" not in path.parents
    ]
    assert large == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    places = re.compile(
        rf"{re.escape(str(ROOT))}(?=[/\s'\"]|$)|(?<![\w./~-])/(?:home|Users|root)/[\w.-]+", re.MULTILINE
    )
    found = []
    for path in files_in_git():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in places.finditer(text)]
    assert found == []


def test_version_is_printed_without_ros() -> None:
    run = subprocess.run([sys.executable, "-m", "openpose_ros", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0
    assert run.stdout.strip() == openpose_ros.__version__
