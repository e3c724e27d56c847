import threading

from openpose_ros.ros.mailbox import Mailbox


def test_the_newest_wins_and_the_others_are_counted() -> None:
    mailbox: Mailbox[int] = Mailbox()
    for item in range(5):
        mailbox.put(item)
    assert mailbox.take() == 4
    assert (mailbox.received, mailbox.replaced) == (5, 4)


def test_what_was_taken_was_not_replaced() -> None:
    mailbox: Mailbox[int] = Mailbox()
    for item in range(5):
        mailbox.put(item)
        assert mailbox.take() == item
    assert (mailbox.received, mailbox.replaced) == (5, 0)


def test_taking_waits_for_the_next_item() -> None:
    mailbox: Mailbox[str] = Mailbox()
    taken: list[str | None] = []
    taker = threading.Thread(target=lambda: taken.append(mailbox.take()))
    taker.start()
    assert taker.is_alive()
    mailbox.put("late")
    taker.join(10)
    assert taken == ["late"]


def test_closing_wakes_up_whoever_waits_and_drops_what_is_there() -> None:
    mailbox: Mailbox[str] = Mailbox()
    taken: list[str | None] = []
    taker = threading.Thread(target=lambda: taken.append(mailbox.take()))
    taker.start()
    mailbox.close()
    taker.join(10)
    assert taken == [None]
    mailbox.put("too late")
    assert mailbox.take() is None


def test_everything_put_is_taken_or_replaced() -> None:
    mailbox: Mailbox[int] = Mailbox()
    taken: list[int] = []

    def take() -> None:
        while (item := mailbox.take()) is not None and item >= 0:
            taken.append(item)

    taker = threading.Thread(target=take)
    taker.start()
    for item in range(2000):
        mailbox.put(item)
    while mailbox.received - mailbox.replaced - len(taken) > 0:
        threading.Event().wait(0.001)
    mailbox.put(-1)
    taker.join(10)
    assert taken == sorted(set(taken))
    assert taken[-1] == 1999
    assert len(taken) + mailbox.replaced == 2000
