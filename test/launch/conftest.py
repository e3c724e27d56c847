"""Stand-ins for launch and launch_ros, which are in no package registry: with the signatures of Jazzy, they record."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path.name for path in (ROOT / "launch").glob("*.launch.py"))
LAUNCHING = "openpose_ros.ros.launching"


@dataclass
class LaunchContext:
    launch_configurations: dict[str, str] = field(default_factory=dict)


@dataclass
class LaunchDescription:
    entities: list[Any]


class DeclareLaunchArgument:
    def __init__(self, name: str, *, default_value: str | None = None, description: str | None = None) -> None:
        self.name, self.default_value, self.description = name, default_value, description


class OpaqueFunction:
    def __init__(self, *, function: Callable[[LaunchContext], list[Any]]) -> None:
        self.function = function


class LaunchConfiguration:
    def __init__(self, variable_name: str) -> None:
        self.name = variable_name

    def perform(self, context: LaunchContext) -> str:
        return context.launch_configurations[self.name]


@dataclass
class SetEnvironmentVariable:
    name: str
    value: str


class Shutdown:
    def __init__(self, *, reason: str = "") -> None:
        self.reason = reason


@dataclass
class ParameterValue:
    value: Any
    value_type: type | None = field(default=None, kw_only=True)


@dataclass(kw_only=True)
class Node:
    executable: str
    package: str
    namespace: str = ""
    parameters: list[Any] = field(default_factory=list)
    remappings: list[tuple[str, str]] = field(default_factory=list)
    ros_arguments: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    output: str = ""
    emulate_tty: bool = False
    on_exit: list[Any] | None = None
    respawn: bool = False
    respawn_delay: float | None = None

    def __post_init__(self) -> None:
        # An empty list is accepted by ExecuteProcess and fails when the process ends.
        assert self.on_exit is None or self.on_exit

    @property
    def given(self) -> dict[str, Any]:
        """The parameters that stand behind the file."""
        values = [entry for entry in self.parameters if isinstance(entry, Mapping)]
        assert len(values) <= 1
        return {n: v.value if isinstance(v, ParameterValue) else v for n, v in (values[0] if values else {}).items()}


MODULES = {
    "launch": {"LaunchContext": LaunchContext, "LaunchDescription": LaunchDescription},
    "launch.actions": {
        "DeclareLaunchArgument": DeclareLaunchArgument,
        "OpaqueFunction": OpaqueFunction,
        "SetEnvironmentVariable": SetEnvironmentVariable,
        "Shutdown": Shutdown,
    },
    "launch.substitutions": {"LaunchConfiguration": LaunchConfiguration},
    "launch_ros": {},
    "launch_ros.actions": {"Node": Node},
    "launch_ros.parameter_descriptions": {"ParameterValue": ParameterValue},
    "ament_index_python": {},
    "ament_index_python.packages": {"get_package_share_directory": lambda name: str(ROOT)},
}


class LaunchFile:
    """A launch file, loaded over the stand-ins.

    Attributes:
        arguments: what ``ros2 launch --show-args`` would show, by name.
    """

    def __init__(self, name: str) -> None:
        spec = spec_from_file_location(name.replace(".", "_"), ROOT / "launch" / name)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        *arguments, self._start = module.generate_launch_description().entities
        self.arguments: dict[str, DeclareLaunchArgument] = {argument.name: argument for argument in arguments}

    def __call__(self, **given: str) -> SimpleNamespace:
        """What it starts: the ``nodes`` by their executables, and the variables of the ``environment``."""
        assert set(given) <= set(self.arguments)
        values = {name: given.get(name, argument.default_value) for name, argument in self.arguments.items()}
        missing = [name for name, value in values.items() if value is None]
        assert not missing, f"not given: {missing}"
        started = self._start.function(LaunchContext({name: str(value) for name, value in values.items()}))
        return SimpleNamespace(
            nodes={entry.executable: entry for entry in started if isinstance(entry, Node)},
            environment={e.name: e.value for e in started if isinstance(e, SetEnvironmentVariable)},
        )


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], LaunchFile]]:
    """Loads a launch file by its name."""
    import openpose_ros.ros

    for name, contents in MODULES.items():
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, LAUNCHING, raising=False)
    monkeypatch.delattr(openpose_ros.ros, "launching", raising=False)
    yield LaunchFile
    sys.modules.pop(LAUNCHING, None)
    vars(openpose_ros.ros).pop("launching", None)


@pytest.fixture(params=FILES)
def launch_file(request: pytest.FixtureRequest, load: Callable[[str], LaunchFile]) -> LaunchFile:
    return load(request.param)
