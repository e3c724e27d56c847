import threading
import time

from openpose_ros.ros.mailbox import Mailbox


def test_the_newest_wins_and_the_others_are_counted() -> None:
    mailbox: Mailbox[int] = Mailbox()
    slot = mailbox.slot()
    for item in range(5):
        slot.put(item)
    assert mailbox.take() == [(0, 4)]
    assert (slot.received, slot.replaced) == (5, 4)


def test_what_was_taken_was_not_replaced() -> None:
    mailbox: Mailbox[int] = Mailbox()
    slot = mailbox.slot()
    for item in range(5):
        slot.put(item)
        assert mailbox.take() == [(0, item)]
    assert (slot.received, slot.replaced) == (5, 0)


def test_taking_waits_for_the_next_item() -> None:
    mailbox: Mailbox[str] = Mailbox()
    slot = mailbox.slot()
    taken: list[list[tuple[int, str]]] = []
    taker = threading.Thread(target=lambda: taken.append(mailbox.take()))
    taker.start()
    assert taker.is_alive()
    slot.put("late")
    taker.join(10)
    assert taken == [[(0, "late")]]


def test_closing_wakes_up_whoever_waits_and_nothing_is_taken_after_it() -> None:
    mailbox: Mailbox[str] = Mailbox()
    slot = mailbox.slot()
    taken: list[list[tuple[int, str]]] = []
    taker = threading.Thread(target=lambda: taken.append(mailbox.take()))
    taker.start()
    mailbox.close()
    taker.join(10)
    assert taken == [[]]
    slot.put("too late")
    assert mailbox.take() == []


def test_cameras_take_turns() -> None:
    mailbox: Mailbox[str] = Mailbox()
    left, right, back = mailbox.slot(), mailbox.slot(), mailbox.slot()
    order = []
    for _ in range(6):
        left.put("left")  # far faster than the others
        right.put("right")
        order.append(mailbox.take()[0][1])
    back.put("back")
    left.put("left")
    order += [mailbox.take()[0][1], mailbox.take()[0][1]]
    assert order == [*["left", "right"] * 3, "back", "left"]
    assert left.replaced > 0


def test_several_are_taken_at_once_but_never_two_of_one_camera() -> None:
    mailbox: Mailbox[str] = Mailbox()
    slots = [mailbox.slot() for _ in range(4)]
    for number in (0, 1, 3):
        slots[number].put("old")
        slots[number].put(f"image {number}")
    assert mailbox.take(2) == [(0, "image 0"), (1, "image 1")]
    slots[0].put("image 4")
    assert mailbox.take(8) == [(3, "image 3"), (0, "image 4")]


def test_a_camera_with_a_period_is_taken_no_more_often() -> None:
    mailbox: Mailbox[float] = Mailbox()
    slot = mailbox.slot()
    slot.period = 0.05
    ended = threading.Event()

    def send() -> None:
        while not ended.wait(0.002):
            slot.put(time.monotonic())

    sender = threading.Thread(target=send)
    sender.start()
    began = time.monotonic()
    taken = [mailbox.take()[0][1] for _ in range(6)]
    spent = time.monotonic() - began
    ended.set()
    sender.join(10)
    assert spent > 4 * 0.05
    assert all(after - before > 0.4 * 0.05 for before, after in zip(taken, taken[1:], strict=False))
    assert slot.replaced > 0


def test_everything_put_is_taken_or_replaced() -> None:
    mailbox: Mailbox[int] = Mailbox()
    slot = mailbox.slot()
    taken: list[int] = []

    def take() -> None:
        while (items := mailbox.take()) and items[0][1] >= 0:
            taken.append(items[0][1])

    taker = threading.Thread(target=take)
    taker.start()
    for item in range(2000):
        slot.put(item)
    while slot.received - slot.replaced - len(taken) > 0:
        threading.Event().wait(0.001)
    slot.put(-1)
    taker.join(10)
    assert taken == sorted(taken)
    assert len(taken) + slot.replaced == 2000


def test_whoever_does_not_wait_gets_what_is_due_or_nothing() -> None:
    mailbox: Mailbox[str] = Mailbox()
    slot = mailbox.slot()
    assert mailbox.take(wait=False) == []
    slot.put("image")
    assert mailbox.take(wait=False) == [(0, "image")]
    slot.period = 60.0
    slot.put("first")
    assert mailbox.take() == [(0, "first")]
    slot.put("too early")
    assert mailbox.take(wait=False) == []
    mailbox.close()
    assert mailbox.take(wait=False) == []
