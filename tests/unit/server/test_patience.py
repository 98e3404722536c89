from saltant.server.tasks.sweeper import Patience

LEASE = 60.0


def patience() -> Patience:
    return Patience(interval=1.0, lease=LEASE, now=1000.0, wall=5000.0)


def looked(subject: Patience, until: float, since: float = 1000.0, leap: float = 0.0) -> Patience:
    """After a look every second, with the time of day `leap` seconds ahead of where it was at the start."""
    now = since
    while now < until:
        now += 1
        subject.look(now, now + 4000.0 + leap)
    return subject


def test_no_lease_ends_for_one_lease_time_after_a_start_but_waits_may() -> None:
    subject = looked(patience(), 1059)
    assert not subject.leases_may_end(1059)
    assert subject.waits_may_end(1059)
    assert looked(subject, 1061, 1059).leases_may_end(1061)


def test_nothing_ends_for_one_lease_time_after_a_leap_of_the_clock() -> None:
    for leap in (3600.0, -3600.0):
        subject = looked(looked(patience(), 1100), 1101, 1100, leap)
        assert not subject.leases_may_end(1101)
        assert not subject.waits_may_end(1101)
        subject = looked(subject, 1162, 1101, leap)
        assert subject.leases_may_end(1162)
        assert subject.waits_may_end(1162)


def test_a_slow_drift_of_the_clock_is_no_leap() -> None:
    subject = looked(looked(patience(), 1100), 1101, 1100, 0.5)
    assert subject.leases_may_end(1101)


def test_nothing_ends_for_one_lease_time_after_the_sweeper_was_held_up() -> None:
    subject = looked(patience(), 1100)
    subject.look(1140, 5140.0)
    assert not subject.leases_may_end(1140)


def test_nothing_ends_for_one_lease_time_after_a_sweep_that_failed() -> None:
    subject = looked(patience(), 1100)
    subject.fail(1100)
    assert not subject.leases_may_end(1159)
    assert looked(subject, 1161, 1100).leases_may_end(1161)
