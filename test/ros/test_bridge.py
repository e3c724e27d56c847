import array
import importlib.util
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", reason="needs ROS 2 messages")

from sensor_msgs.msg import Image as ImageMessage

from openpose_ros.encodings import to_bgr
from openpose_ros.ros.bridge import CvBridge, sound_cv_bridge


def test_an_unsound_cv_bridge_is_not_used(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cv_bridge.py").write_text("raise AttributeError('_ARRAY_API not found')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    sound_cv_bridge.cache_clear()
    try:
        assert sound_cv_bridge() is None
    finally:
        sound_cv_bridge.cache_clear()
    assert "_ARRAY_API not found" in caplog.text


@pytest.mark.skipif(importlib.util.find_spec("cv_bridge") is None, reason="cv_bridge is not installed")
@pytest.mark.parametrize("encoding", sorted(CvBridge.encodings))
def test_cv_bridge_and_our_own_way_agree(encoding: str) -> None:
    bridge = sound_cv_bridge()
    if bridge is None:
        pytest.skip("the installed cv_bridge does not work")
    size = 8 if "bayer" in encoding or "mono" in encoding else 24 if "a8" not in encoding else 32
    rows = np.random.default_rng(0).integers(0, 256, (6, size * (2 if "16" in encoding else 1)), np.uint8)
    sent = ImageMessage(encoding=encoding, height=6, width=8, step=rows.shape[1])
    sent.data = array.array("B", rows.tobytes())
    assert np.abs(to_bgr(sent, bridge=bridge).astype(int) - to_bgr(sent)).max() <= 1
