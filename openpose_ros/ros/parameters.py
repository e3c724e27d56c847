"""Option classes <-> the parameters of a node: declared with description and range, checked before, applied after.

An option that can change in a running node is a parameter that can be set; every other one is read-only. Values are
taken as people write them: ``input_size:=368``, ``rate:=5`` and ``cameras:=[left,right]`` are two texts and a
number with a fraction all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from openpose_ros.option import Option, OptionSet, Value

Options = TypeVar("Options", bound=OptionSet)

INT64 = 2**63 - 1


class Parameters:
    """The parameters of one node.

    Args:
        node: declares them, and refuses bad values with a reason.
        classes: option classes; their names must differ from each other.
        changed: called after one or several parameters were set, in the thread that set them.

    Raises:
        ValueError: a value given at the start (command line, file, launch) is not allowed; the text says why.
    """

    def __init__(self, node: Node, classes: Sequence[type[OptionSet]], changed: Callable[[], None]) -> None:
        self._node = node
        self._classes = classes
        self._changed = changed
        self._options = {option.name: option for kind in classes for option in kind.options()}
        self._chosen: set[str] = set()
        for option in self._options.values():
            self._declare(option)
        for kind in classes:
            self.read(kind)
        if hasattr(node, "add_pre_set_parameters_callback"):  # not in Humble, which takes nothing but the exact type
            node.add_pre_set_parameters_callback(self._as_meant)
        node.add_on_set_parameters_callback(self._check)
        if hasattr(node, "add_post_set_parameters_callback"):  # not in Humble, see _check
            node.add_post_set_parameters_callback(self._take)

    def read(self, kind: type[Options]) -> Options:
        """The current values of one option class."""
        return kind.from_mapping({o.name: self._node.get_parameter(o.name).value for o in kind.options()})

    def chosen(self, name: str) -> bool:
        """Whether somebody set this parameter, at the start or later; else it has its default."""
        return name in self._chosen

    def set_default(self, name: str, value: Value) -> None:
        """Another default, known only now: taken unless somebody set the parameter. A bad one is a ValueError."""
        if name not in self._chosen:
            (result,) = self._node.set_parameters([Parameter(name, value=value)])
            if not result.successful:
                raise ValueError(result.reason)
            self._chosen.discard(name)
            self._changed()

    def _declare(self, option: Option) -> None:
        # Once without a type, to see what was given in whatever type; then for good.
        given = self._node.declare_parameter(option.name, descriptor=ParameterDescriptor(dynamic_typing=True)).value
        self._node.undeclare_parameter(option.name)
        value = option.default
        if given is not None:
            value = option.check(_as_meant(given, option))
            self._chosen.add(option.name)
        self._node.declare_parameter(option.name, value, _descriptor(option), ignore_override=True)

    def _as_meant(self, parameters: list[Parameter]) -> list[Parameter]:
        return [
            Parameter(p.name, value=_as_meant(p.value, self._options[p.name])) if p.name in self._options else p
            for p in parameters
        ]

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        ours = {p.name: p.value for p in parameters if p.name in self._options}
        try:
            for kind in self._classes:
                now = {o.name: self._node.get_parameter(o.name).value for o in kind.options()}
                kind.from_mapping({**now, **{name: ours[name] for name in now if name in ours}})
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        executor = self._node.executor
        if not hasattr(self._node, "add_post_set_parameters_callback"):
            self._chosen.update(ours)
            if ours and executor:
                # The values are stored when this returns; the executor comes to its tasks after that.
                executor.create_task(self._changed)
        return SetParametersResult(successful=True)

    def _take(self, parameters: list[Parameter]) -> None:
        """After they were stored: another callback may have refused them after our own."""
        self._chosen.update(p.name for p in parameters if p.name in self._options)
        self._changed()


def _as_meant(value: Any, option: Option) -> Any:
    """A whole number where a fraction or a text is wanted, as that, a list as a text with commas; all else as it is."""
    if option.kind is float and type(value) is int:
        return float(value)
    if option.kind is str and type(value) in (int, float):
        return str(value)
    if option.kind is str and isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return value


def _descriptor(option: Option) -> ParameterDescriptor:
    about = option.description
    if option.choices:
        about += f" (one of {', '.join(option.choices)})"
    descriptor = ParameterDescriptor(description=about, read_only=not option.live)
    if option.minimum is None and option.maximum is None:
        return descriptor
    low, high = option.minimum, option.maximum
    if option.kind is int:
        whole = IntegerRange(
            from_value=-INT64 if low is None else int(low), to_value=INT64 if high is None else int(high)
        )
        descriptor.integer_range = [whole]
    else:
        broken = FloatingPointRange(
            from_value=-1e308 if low is None else float(low), to_value=1e308 if high is None else float(high)
        )
        descriptor.floating_point_range = [broken]
    return descriptor
