"""What may happen to a pose node in hours of service, to be done in any order; see ``soak.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from openpose_ros.ros.soak_rig import LISTENERS, Rig, SoakError

LOADING = 120.0
"""Seconds until a transition is given up: one of them loads the network."""

MOMENT = 0.2
"""Seconds for which the node is left switched off, or in a state."""

AT_ONCE = 4
"""Changes of parameters in one event."""

CHANGES: tuple[dict[str, Any], ...] = (
    {"max_people": 1}, {"max_people": 0}, {"heat_threshold": 0.05}, {"heat_threshold": 0.01}, {"input_size": "256"},
    {"input_size": "368"}, {"complete": True}, {"complete": False}, {"labels": True, "boxes": True}, {"labels": False},
    {"track": False}, {"track": True, "smooth": True}, {"smooth": False}, {"max_rate": 10.0}, {"max_rate": 0.0},
    {"jpeg_quality": 30}, {"marker_labels": False}, {"marker_labels": True}, {"flip": True}, {"flip": False},
)  # fmt: skip
"""Live parameters, set one after the other."""

REFUSED: tuple[dict[str, Any], ...] = ({"heat_threshold": 7.0}, {"input_size": "huge"}, {"backend": "torch"})
"""What the node must refuse."""

DEACTIVATE, ACTIVATE = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE
CLEANUP, CONFIGURE = Transition.TRANSITION_CLEANUP, Transition.TRANSITION_CONFIGURE
STATES = {DEACTIVATE: "inactive", ACTIVATE: "active", CLEANUP: "unconfigured", CONFIGURE: "inactive"}


class Events:
    """The events of one run. After each of them the node is active and somebody listens to ``poses``.

    Args:
        rig: does them.
        random: decides what is left open.
    """

    def __init__(self, rig: Rig, random: np.random.Generator) -> None:
        self._rig = rig
        self._random = random
        self._changes = 0

    def all(self) -> dict[str, Callable[[], None]]:
        """Every kind of event, by its name."""
        return {
            "listeners come and go": self.listeners,
            "nobody listens": self.nobody_listens,
            "parameters change": self.parameters,
            "switched off and on": self.switch,
            "deactivated and activated": self.reactivate,
            "configured anew": self.reconfigure,
            "ids are reset": self.new_ids,
        }

    def listeners(self) -> None:
        """Some of those that are not needed to measure come or go."""
        for topic in LISTENERS:
            if topic != "poses":
                self._rig.listen(topic, bool(self._random.integers(2)))

    def nobody_listens(self) -> None:
        """All go, so that the node lets go of the camera; one comes back."""
        for topic in LISTENERS:
            self._rig.listen(topic, False)
        self._rig.until(lambda: not self._rig.heard, "the node to let go of the camera")
        self._rig.listen("poses", True)

    def parameters(self) -> None:
        """Some live parameters change, and what is no good is refused."""
        for change in CHANGES[self._changes % len(CHANGES) :][:AT_ONCE]:
            self._set(change, True)
        self._set(REFUSED[self._changes // AT_ONCE % len(REFUSED)], False)
        self._changes += AT_ONCE

    def switch(self) -> None:
        """The node is told to look at no image, and then to look again."""
        rig = self._rig
        rig.ask(SetBool, "set_enabled", SetBool.Request(data=False), lambda: not rig.heard)
        rig.wait(MOMENT)
        rig.ask(SetBool, "set_enabled", SetBool.Request(data=True), lambda: rig.heard)

    def reactivate(self) -> None:
        """Deactivated and activated."""
        self._change(DEACTIVATE)
        self._rig.wait(MOMENT)
        self._change(ACTIVATE)

    def reconfigure(self) -> None:
        """The network is given back and loaded anew."""
        self._change(DEACTIVATE)
        self._change(CLEANUP)
        self._rig.wait(MOMENT)
        self._change(CONFIGURE)
        self._change(ACTIVATE)

    def new_ids(self) -> None:
        """Everybody gets a new id."""
        self._rig.ask(Trigger, "reset_ids", Trigger.Request())

    def _set(self, values: dict[str, Any], accepted: bool) -> None:
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        answer = self._rig.ask(SetParameters, "set_parameters", SetParameters.Request(parameters=parameters))
        if any(result.successful != accepted for result in answer.results):
            reasons = "; ".join(result.reason for result in answer.results)
            raise SoakError(
                f"the node {'refused' if accepted else 'accepted'} {values} ({reasons or 'no reason given'})"
            )

    def _change(self, transition: int) -> None:
        """A transition. The camera goes on while the node ends its counting, but rests until it counts anew."""
        rig = self._rig
        if transition == DEACTIVATE:
            rig.quiet("before it is deactivated")
            rig.counted = False
        filmed = rig.filming
        if transition == ACTIVATE:
            rig.filming = False
            rig.ledger.begin()
        request, wanted = ChangeState.Request(transition=Transition(id=transition)), STATES[transition]
        rig.ask(ChangeState, "change_state", request, lambda: rig.state == wanted, LOADING)
        if transition == ACTIVATE:
            rig.counted = True
            rig.filming = filmed
