"""The search for the highest rate that something keeps up with."""

from __future__ import annotations

import numpy as np
import pytest

from openpose_ros.benchmark.peak import MOST_TRIALS, Trial, peak


class Server:
    """Answers so many images a second, and no more; its sender reaches a rate at most."""

    def __init__(self, capacity: float, sender: float = 1e9, noise: float = 0.0) -> None:
        self.capacity = capacity
        self.sender = sender
        self.noise = noise
        self.rates: list[float] = []
        self._random = np.random.default_rng(0)

    def trial(self, rate: float) -> Trial:
        self.rates.append(rate)
        sent = round(10.0 * min(rate, self.sender))
        capacity = self.capacity * (1.0 + self._random.normal(0.0, self.noise) if self.noise else 1.0)
        answered = min(sent, round(10.0 * capacity))
        return Trial(10.0, sent, [0.02] * answered)


@pytest.mark.parametrize("guess", [10.0, 48.0, 50.0, 52.0, 300.0])
def test_the_capacity_is_found_from_any_guess(guess: float) -> None:
    server = Server(50.0)
    found = peak(server.trial, guess, 0.01)
    assert found is not None
    assert 47.5 <= found.offered <= 50.6
    assert found.loss <= 0.01
    assert len(server.rates) <= MOST_TRIALS


def test_a_larger_bound_lets_a_higher_rate_through() -> None:
    strict, lax = (peak(Server(50.0).trial, 50.0, bound) for bound in (0.0, 0.2))
    assert strict is not None and lax is not None
    assert strict.offered <= 50.0 < 57.0 < lax.offered <= 62.6


def test_the_limit_of_the_sender_ends_the_search() -> None:
    server = Server(1000.0, sender=80.0)
    found = peak(server.trial, 60.0, 0.01)
    assert found is not None
    assert found.offered == 80.0
    assert len(server.rates) <= 4


def test_what_never_answers_has_no_peak() -> None:
    assert peak(Server(0.0).trial, 30.0, 0.05) is None


def test_noise_does_not_make_it_claim_more_than_was_seen() -> None:
    server = Server(50.0, noise=0.05)
    found = peak(server.trial, 60.0, 0.02)
    assert found is not None
    assert found.loss <= 0.02
    assert 40.0 < found.offered < 60.0


def test_a_trial_tells_rates_loss_and_latency() -> None:
    trial = Trial(2.0, 20, [0.01, 0.02, 0.03, 0.04, 0.05])
    assert (trial.offered, trial.answered, trial.loss) == (10.0, 2.5, 0.75)
    assert trial.latency_ms(50) == pytest.approx(30.0)
    assert Trial(2.0, 20).latency_ms(50) is None
    assert Trial(2.0, 0).loss == 0.0
