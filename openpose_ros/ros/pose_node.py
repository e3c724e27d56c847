"""pose_node: camera images in, people out.

Follow an image: the subscription of ``camera.py`` hands it to ``pipeline.py``, whose worker takes the newest one from
its ``mailbox.py``, reads it (``images.py``), asks the estimator for its people, and publishes them (``outputs.py``,
``messages.py``). This file is the life of the node around that: configure loads the network, activate lets images
in while somebody listens, deactivate and cleanup undo both.
"""

from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.timer import Timer

from openpose_ros.options import BackendOptions, DecodeOptions, DrawOptions, InputOptions, PoseNodeOptions
from openpose_ros.ros import program
from openpose_ros.ros.camera import Camera, Message
from openpose_ros.ros.interface import FROM_CARD, POSE_NODE
from openpose_ros.ros.mailbox import Mailbox
from openpose_ros.ros.outputs import Outputs
from openpose_ros.ros.parameters import Parameters
from openpose_ros.ros.pipeline import Pipeline
from openpose_ros.ros.tally import Tally

if TYPE_CHECKING:
    from openpose_ros.estimator import Estimator

Load = Callable[[str, BackendOptions, InputOptions, DecodeOptions], "Estimator"]

LOOK_AROUND = 0.5
"""Seconds between two looks at listeners and publishers; events tell sooner, where there are any."""

SUCCESS = TransitionCallbackReturn.SUCCESS


class PoseNode(LifecycleNode):
    """A managed node that finds the people in the images of a camera.

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
        self._outputs: Outputs | None = None
        self._pipeline: Pipeline | None = None
        self._camera: Camera | None = None
        self._timer: Timer | None = None
        self._reported = (0.0, Tally())
        try:
            self._options = Parameters(self, POSE_NODE.options, self._apply)
        except ValueError as error:
            self.destroy_node()
            raise program.StartError(str(error)) from None

    def start(self) -> None:
        """Configure and activate, unless a lifecycle manager is to do that.

        Raises:
            program.StartError: a transition failed.
        """
        if not self._options.read(PoseNodeOptions).autostart:
            self.get_logger().info("unconfigured (autostart is false): waiting for a lifecycle manager")
            return
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != SUCCESS:
                raise program.StartError

    def stop(self) -> None:
        """Wait for the image in progress and give everything back. Possible in every state."""
        self._close_camera()
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
            self._open_camera()
        except Exception as error:
            self._close_camera()
            super().on_deactivate(state)
            return self._fail("activated", error)
        return SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let no more images in; the one in progress is still published."""
        self._close_camera()
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
        read = self._options.read
        settings = read(PoseNodeOptions)
        estimator = self._load(settings.model, read(BackendOptions), read(InputOptions), read(DecodeOptions))
        self._estimator = estimator
        for name in FROM_CARD:
            self._options.set_default(name, getattr(estimator.card, name))
        self._outputs = Outputs(self, estimator.skeleton, self._look_around)

    def _unload(self) -> None:
        if self._outputs is not None:
            self._outputs.close()
            self._outputs = None
        if self._estimator is not None:
            self._estimator.close()
            self._estimator = None

    # What there is while active.

    def _open_camera(self) -> None:
        assert self._estimator is not None
        assert self._outputs is not None
        settings, drawing = self._options.read(PoseNodeOptions), self._options.read(DrawOptions)
        mailbox: Mailbox[Message] = Mailbox()
        camera = Camera(self, settings.image_transport, settings.qos, mailbox)
        self._pipeline = Pipeline(self, camera.topic, mailbox, self._estimator, self._outputs, settings, drawing)
        self._camera = camera
        self._reported = (time.monotonic(), Tally())
        self._timer = self.create_timer(LOOK_AROUND, self._look_around, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._outputs.describe()
        backend = self._estimator.backend
        self.get_logger().info(
            f"model {self._estimator.card.name}, backend {backend.name} on {backend.device} in {backend.precision}, "
            f"input {self._estimator.inputs.input_size}, people from score "
            f"{self._estimator.decode.min_person_score:.2f}; images from {camera.topic}, while somebody listens to "
            f"{self._outputs.names}"
        )
        self._look_around()

    def _close_camera(self) -> None:
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
        if self._camera is not None:
            self._camera.need(False)
            self._camera = None
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

    def _look_around(self) -> None:
        """Subscribe to the camera or let go, as listeners come and go; tell how things are."""
        if self._camera is None or self._outputs is None:
            return
        self._camera.need(self._outputs.wanted)
        self._camera.remind()
        self._report()

    def _report(self) -> None:
        then, before = self._reported
        now = time.monotonic()
        if self._pipeline is None or now - then < (self._pipeline.settings.report_period or math.inf):
            return
        tally = self._pipeline.tally
        if tally != before:
            self.get_logger().info(tally.since(before, now - then))
        self._reported = (now, tally)

    def _apply(self) -> None:
        """Take over parameters that were set; the next image is treated accordingly."""
        read = self._options.read
        if self._estimator is not None:
            self._estimator.inputs = read(InputOptions)
            self._estimator.decode = read(DecodeOptions)
        if self._pipeline is not None:
            self._pipeline.settings = read(PoseNodeOptions)
            self._pipeline.drawing = read(DrawOptions)


def load_estimator(model: str, backend: BackendOptions, inputs: InputOptions, decode: DecodeOptions) -> Estimator:
    """The estimator that the parameters ask for."""
    from openpose_ros.estimator import Estimator  # the network's libraries are loaded here, not for --help

    return Estimator.load(
        model,
        backend.backend,
        backend.device,
        precision=backend.precision,
        threads=backend.threads,
        inputs=inputs,
        decode=decode,
    )


def main(argv: list[str] | None = None) -> int:
    """Run the node; exit status 0 after a clean end, 1 if it cannot start, 2 after wrong arguments."""
    return program.run(POSE_NODE, PoseNode, argv)


if __name__ == "__main__":
    sys.exit(main())
