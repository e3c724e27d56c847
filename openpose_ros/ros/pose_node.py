"""pose_node: camera images in, people out.

Follow an image: the subscription of ``camera.py`` leaves it in its slot of ``mailbox.py``; the worker of
``pipeline.py`` takes the newest one, has it read by its ``stream.py``, asks the estimator for its people, and the
stream follows them (``tracking.py``), places them in space (``lifting.py``) and publishes them (``outputs.py``). This
file is the life of the node around that: configure loads the network, activate lets images in while somebody listens,
deactivate and cleanup undo both.
"""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.timer import Timer
from std_srvs.srv import SetBool, Trigger

from openpose_ros.options import BackendOptions, BridgeOptions, DecodeOptions, InputOptions
from openpose_ros.ros import bridges, diagnostics, program
from openpose_ros.ros.camera import Camera, Message
from openpose_ros.ros.interface import FROM_CARD, POSE_NODE
from openpose_ros.ros.mailbox import Mailbox
from openpose_ros.ros.outputs import Annotated, MarkersInSpace, Outputs, Poses, Publishers
from openpose_ros.ros.parameters import Parameters
from openpose_ros.ros.pipeline import Pipeline
from openpose_ros.ros.settings import Settings
from openpose_ros.ros.stream import Stream
from openpose_ros.ros.tally import Tally

if TYPE_CHECKING:
    from openpose_ros.estimator import Estimator

Load = Callable[[str, BackendOptions, InputOptions, DecodeOptions], "Estimator"]

LOOK_AROUND = 0.5
"""Seconds between two looks at listeners and publishers; events tell sooner, where there are any."""

SUCCESS = TransitionCallbackReturn.SUCCESS


class PoseNode(LifecycleNode):
    """A managed node that finds the people in the images of one or several cameras.

    Args:
        load: makes the estimator when the node is configured.
        arguments: those of rclpy's Node.

    Raises:
        program.StartError: a parameter has a value that it must not have.
    """

    finished = False

    def __init__(self, load: Load | None = None, **arguments: Any) -> None:
        super().__init__(POSE_NODE.name, **arguments)
        self._load = load or load_estimator
        self._estimator: Estimator | None = None
        self._poses: list[Poses] = []
        self._outputs: list[Outputs] = []
        self._streams: list[Stream] = []
        self._pipeline: Pipeline | None = None
        self._timer: Timer | None = None
        self._enabled = True
        self._reported = (0.0, [Tally()])
        try:
            self._options = Parameters(self, POSE_NODE.options, self._apply)
        except ValueError as error:
            self.destroy_node()
            raise program.StartError(str(error)) from None
        self._settings = Settings.read(self._options.read)
        self.create_service(Trigger, "~/reset_ids", self._reset_ids)
        self.create_service(SetBool, "~/set_enabled", self._set_enabled)
        self._jump_handle = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True),
            post_callback=lambda _: self._forget(),
        )
        self._diagnostics = diagnostics.Diagnostics(self, self._settings.health.diagnostics_period, self._statuses)

    def start(self) -> None:
        """Configure and activate, unless a lifecycle manager is to do that.

        Raises:
            program.StartError: a transition failed.
        """
        if not self._settings.node.autostart:
            self.get_logger().info("unconfigured (autostart is false): waiting for a lifecycle manager")
            return
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != SUCCESS:
                raise program.StartError

    def stop(self) -> None:
        """Wait for the image in progress and give everything back. Possible in every state."""
        self._close_cameras()
        self._unload()

    # Transitions. rclpy swallows whatever they raise, so they catch it and say it themselves.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the network; on failure nothing of it is left."""
        try:
            self._load_network()
        except Exception as error:
            self._unload()
            return self._fail("configured", error)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let images in while somebody listens."""
        super().on_activate(state)
        try:
            self._open_cameras()
        except Exception as error:
            self._close_cameras()
            super().on_deactivate(state)
            return self._fail("activated", error)
        return SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let no more images in; those in progress are still published."""
        self._close_cameras()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give the network and its memory back."""
        self.stop()
        return SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back."""
        self.stop()
        return SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back, so that the node can be configured again."""
        self.stop()
        return SUCCESS

    def _fail(self, what: str, error: Exception) -> TransitionCallbackReturn:
        known = isinstance(error, (ValueError, OSError))
        self.get_logger().error(f"cannot be {what}: {error if known else traceback.format_exc()}")
        return TransitionCallbackReturn.FAILURE

    # What there is while configured.

    def _load_network(self) -> None:
        settings, backend, wished = (
            self._settings,
            self._options.read(BackendOptions),
            self._options.read(BridgeOptions),
        )
        bridges.check(wished, settings)
        estimator = self._load(settings.node.model, backend, settings.inputs, settings.decode)
        self._estimator = estimator
        for name in FROM_CARD:
            self._options.set_default(name, getattr(estimator.card, name))
        for name in settings.node.camera_names():
            publishers = Publishers(self, f"{name}/" if name else "", self._look_around)
            poses = Poses(publishers, estimator.skeleton)
            self._poses.append(poses)
            others = bridges.bridges(publishers, estimator.skeleton, wished)
            markers, annotated = MarkersInSpace(publishers, estimator.skeleton), Annotated(publishers)
            self._outputs.append(Outputs([poses, markers, *others, annotated]))

    def _unload(self) -> None:
        for outputs in self._outputs:
            outputs.close()
        self._outputs, self._poses = [], []
        if self._estimator is not None:
            self._estimator.close()
            self._estimator = None

    # What there is while active.

    def _open_cameras(self) -> None:
        assert self._estimator is not None
        settings = self._settings
        mailbox: Mailbox[Message] = Mailbox()
        streams = []
        for name, outputs in zip(settings.node.camera_names(), self._outputs, strict=True):
            slot = mailbox.slot()
            camera = Camera(self, f"{name}/" if name else "", settings, slot)
            streams.append(Stream(self, camera, slot, outputs, settings))
        self._pipeline = Pipeline(self, mailbox, self._estimator, streams)
        self._streams = streams
        self._reported = (time.monotonic(), [stream.tally for stream in streams])
        self._timer = self.create_timer(LOOK_AROUND, self._look_around, clock=Clock(clock_type=ClockType.STEADY_TIME))
        for poses in self._poses:
            poses.describe()
        backend = self._estimator.backend
        self.get_logger().info(
            f"model {self._estimator.card.name}, backend {backend.name} on {backend.device} in {backend.precision}, "
            f"input {settings.size_in_words}, people from score {self._settings.decode.min_person_score:.2f}"
        )
        for stream in streams:
            self.get_logger().info(
                f"images from {stream.camera.topic}, while somebody listens to {' or '.join(stream.outputs.topics)}"
            )
        self._look_around()

    def _close_cameras(self) -> None:
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
        for stream in self._streams:
            stream.camera.need(images=False, calibration=False)
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None
        self._streams = []

    def _look_around(self) -> None:
        """Subscribe to cameras or let go, as listeners come and go; tell how things are."""
        for stream in self._streams:
            wanted = self._enabled and stream.outputs.wanted
            stream.camera.need(images=wanted, calibration=stream.outputs.needs_calibration)
            stream.camera.remind()
        self._report()

    def _report(self) -> None:
        then, before = self._reported
        now = time.monotonic()
        if not self._streams or now - then < (self._settings.node.report_period or math.inf):
            return
        tallies = [stream.tally for stream in self._streams]
        for stream, old, new in zip(self._streams, before, tallies, strict=True):
            if new != old:
                where = f"{stream.camera.topic}: " if len(self._streams) > 1 else ""
                self.get_logger().info(where + new.since(old, now - then))
        self._reported = (now, tallies)

    def _apply(self) -> None:
        """Take over parameters that were set; the next image is treated accordingly."""
        self._settings = Settings.read(self._options.read)
        if self._estimator is not None:
            self._estimator.inputs = self._settings.inputs
            self._estimator.decode = self._settings.decode
        for stream in self._streams:
            stream.apply(self._settings)

    # What others may ask for at any time.

    def _reset_ids(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._forget()
        response.success = True
        response.message = "people get new ids from the next image on"
        return response

    def _set_enabled(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled = request.data
        self._look_around()
        response.success = True
        response.message = "enabled" if self._enabled else "no image is looked at until it is enabled again"
        return response

    def _forget(self) -> None:
        for stream in self._streams:
            stream.forget()

    def _statuses(self) -> list[DiagnosticStatus]:
        """How the node and its cameras are."""
        name = self.get_fully_qualified_name().strip("/")
        state = self._state_machine.current_state[1]
        sizing = None if self._pipeline is None else self._pipeline.sizing
        found = [diagnostics.node_status(name, state, self._estimator, self._settings.inputs.input_size, sizing)]
        for stream in self._streams:
            label = f"{name}: {stream.camera.topic}"
            found.append(diagnostics.camera_status(label, stream, self._settings.health, self._enabled))
        return found


def load_estimator(model: str, backend: BackendOptions, inputs: InputOptions, decode: DecodeOptions) -> Estimator:
    """The estimator that the parameters ask for."""
    from openpose_ros.estimator import Estimator  # the network's libraries are loaded here, not for --help

    return Estimator.load(
        model,
        backend.backend,
        backend.device,
        precision=backend.precision,
        threads=backend.threads,
        hint=backend.hint,
        inputs=inputs,
        decode=decode,
    )


def main(argv: list[str] | None = None) -> int:
    """Run the node; exit status 0 after a clean end, 1 if it cannot start, 2 after wrong arguments."""
    # The cores are the network's, which has the parameter threads: what OpenCV does to an image is too little to share.
    cv2.setNumThreads(1)
    return program.run(POSE_NODE, PoseNode, argv)


if __name__ == "__main__":
    sys.exit(main())
