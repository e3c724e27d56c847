"""What a machine has, and what the environment leaves of it."""

from __future__ import annotations

import pytest

from openpose_ros import machine


@pytest.mark.parametrize(
    ("limit", "fast"),
    [
        (None, True),
        ("", True),
        ("ALL", True),
        ("default", True),
        ("AVX512_CORE_BF16", True),
        ("AVX512_CORE_AMX", True),
        ("avx10_1_512", True),
        ("AVX512_CORE_VNNI", False),
        ("AVX2", False),
        ("SSE41", False),
    ],
)
def test_bfloat16_is_fast_where_the_cpu_has_it_and_nothing_forbids_it(
    monkeypatch: pytest.MonkeyPatch, limit: str | None, fast: bool
) -> None:
    if limit is None:
        monkeypatch.delenv(machine.LIMIT, raising=False)
    else:
        monkeypatch.setenv(machine.LIMIT, limit)
    monkeypatch.setattr(machine, "cpu_features", lambda: frozenset({"avx2", "avx512_bf16"}))
    assert machine.fast_bfloat16() is fast
    monkeypatch.setattr(machine, "cpu_features", lambda: frozenset({"avx2"}))
    assert not machine.fast_bfloat16()
