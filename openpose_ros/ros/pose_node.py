"""pose_node: camera images in, people out.

Follow an image: the subscription of ``camera.py`` leaves it in its slot of ``mailbox.py``; the worker of
``pipeline.py`` takes the newest one, has it read by its ``stream.py``, asks the estimator for its people, and the
stream follows them (``tracking.py``), places them in space (``lifting.py``) and publishes them (``outputs.py``). This
file is the life of the node around that: configure loads the network, activate lets images in while somebody listens,
deactivate and cleanup undo both.
"""

from __future__ import annotations

import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

import cv2
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.timer import Timer
from std_srvs.srv import SetBool, Trigger

from openpose_ros.options import BackendOptions, BridgeOptions
from openpose_ros.ros import bridges, diagnostics, loading, program
from openpose_ros.ros.camera import Camera, Message
from openpose_ros.ros.interface import FROM_CARD, POSE_NODE
from openpose_ros.ros.mailbox import Mailbox
from openpose_ros.ros.outputs import Annotated, MarkersInSpace, Outputs, Poses, Publishers
from openpose_ros.ros.parameters import Parameters
from openpose_ros.ros.pipeline import Pipeline
from openpose_ros.ros.report import Report
from openpose_ros.ros.settings import Settings
from openpose_ros.ros.stream import Stream
from openpose_ros.tracking import Tracker

if TYPE_CHECKING:
    from openpose_ros.estimator import Estimator

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

    def __init__(self, load: loading.Load | None = None, **arguments: Any) -> None:
        super().__init__(POSE_NODE.name, **arguments)
        self.asked = threading.Event()
        self._load = load or loading.network
        self._estimator: Estimator | None = None
        self._poses: list[Poses] = []
        self._outputs: list[Outputs] = []
        self._streams: list[Stream] = []
        self._pipeline: Pipeline | None = None
        self._timer: Timer | None = None
        self._enabled = True
        self._report: Report | None = None
        try:
            self._options = Parameters(self, POSE_NODE.options, self._apply)
        except ValueError as error:
            self.destroy_node()
            raise program.StartError(str(error)) from None
        self._settings = Settings.read(self._options.read)
        # As old as the node: an id that was given is not given to anybody else, whatever becomes of the network.
        self._trackers = [Tracker() for _ in self._settings.node.camera_names()]
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
            if self.asked.is_set() or transition() != SUCCESS:
                raise program.StartError

    def stop(self) -> None:
        """Wait for the image in progress, though not for ever, and give everything back. Possible in every state."""
        self._close_cameras()
        self._unload()

    def destroy_node(self) -> None:
        """Leave the ROS graph, also where a thread that was left behind holds on to this node."""
        super().destroy_node()
        self._state_machine.destroy_when_not_in_use()

    # Transitions. rclpy swallows whatever they raise, so they catch it and say it themselves.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the network; on failure nothing of it is left."""
        try:
            self._load_network()
        except loading.StoppedError:
            return TransitionCallbackReturn.FAILURE
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
        """Let no more images in; those in progress are still published. A network that hangs is an error."""
        closed = self._close_cameras()
        super().on_deactivate(state)
        return SUCCESS if closed else TransitionCallbackReturn.ERROR

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
        settings, load, read = self._settings, self._load, self._options.read
        backend, wished = read(BackendOptions), read(BridgeOptions)
        bridges.check(wished, settings)
        # The thread that loads may outlive this node, and so must not hold on to it.
        estimator = loading.unless_asked(
            self.asked, lambda: load(settings.node.model, backend, settings.inputs, settings.decode)
        )
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
        names = settings.node.camera_names()
        for name, outputs, tracker in zip(names, self._outputs, self._trackers, strict=True):
            slot = mailbox.slot()
            camera = Camera(self, f"{name}/" if name else "", settings, slot)
            streams.append(Stream(self, camera, slot, outputs, tracker, settings))
        self._pipeline = Pipeline(self, mailbox, self._estimator, streams)
        self._streams = streams
        self._report = Report(self.get_logger(), streams)
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

    def _close_cameras(self) -> bool:
        """False if the network hangs: it is left behind."""
        closed = True
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
        for stream in self._streams:
            stream.camera.need(images=False, calibration=False)
        if self._pipeline is not None:
            closed = self._pipeline.close(self._patience)
            if not closed:
                self._estimator = None  # to close it would mean to wait for the network as well
            self._pipeline = None
        for stream in self._streams:
            stream.outputs.rest(True)
        self._streams, self._report = [], None
        return closed

    def _patience(self) -> float:
        """Seconds that the images in progress are waited for."""
        return loading.PATIENCE if self.asked.is_set() else max(loading.PATIENCE, self._settings.health.stale_after)

    def _look_around(self) -> None:
        """Subscribe to cameras or let go, as listeners come and go; tell how things are."""
        for stream in self._streams:
            wanted = self._enabled and stream.outputs.wanted
            stream.camera.need(images=wanted, calibration=stream.outputs.needs_calibration)
            stream.camera.remind()
            stream.outputs.rest(not self._enabled)
            if stream.camera.listening and stream.camera.silence > self._settings.health.stale_after:
                stream.outputs.farewell()
        if self._pipeline is not None:
            self._pipeline.remind(self._settings.health.stale_after)
        if self._report is not None:
            self._report.tell(self._settings.node.report_period)

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
        sizing, at_work = (None, 0.0) if self._pipeline is None else (self._pipeline.sizing, self._pipeline.at_work)
        size, limits = self._settings.inputs.input_size, self._settings.health
        found = [diagnostics.node_status(name, state, self._estimator, size, limits, sizing, at_work)]
        for stream in self._streams:
            label = f"{name}: {stream.camera.topic}"
            found.append(diagnostics.camera_status(label, stream, limits, self._enabled))
        return found


def main(argv: list[str] | None = None) -> int:
    """Run the node; exit status 0 after a clean end, 1 if it cannot start, 2 after wrong arguments."""
    # The cores are the network's, which has the parameter threads: what OpenCV does to an image is too little to share.
    cv2.setNumThreads(1)
    return program.run(POSE_NODE, PoseNode, argv)


if __name__ == "__main__":
    sys.exit(main())
