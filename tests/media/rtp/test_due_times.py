"""Which ports are looked at, and when."""

from twoleg.media import MediaPort
from twoleg.media import plane as plane_module
from twoleg.media.due_times import DueTimes


def test_a_port_comes_up_once_its_time_has_come_and_only_then():
    times = DueTimes()
    times.note(3.0, 10_000)
    times.note(1.0, 10_002)
    assert times.passed(0.9) == set()
    assert times.passed(1.0) == {10_002}
    assert times.passed(2.9) == set()
    assert times.passed(5.0) == {10_000}
    assert times.passed(9.0) == set()


def test_a_port_with_several_times_comes_up_at_each_and_once_for_those_that_passed_together():
    times = DueTimes()
    for due in (1.0, 1.5, 4.0):
        times.note(due, 10_000)
    assert times.passed(2.0) == {10_000}
    assert times.passed(3.0) == set()
    assert times.passed(4.0) == {10_000}


async def test_only_a_port_that_is_due_is_attended_to_whatever_its_number_was_noted_for(
    plane, far_end, monkeypatch
):
    attended = []
    monkeypatch.setattr(MediaPort, "attend", lambda port, now: attended.append(port))
    async with plane.open_port() as port, plane.open_port() as other:
        port.connect(far_end().stream())
        plane._due_times.note(port.due, other.port)
        monkeypatch.setattr(plane_module.time, "monotonic", lambda: port.due)
        plane._sweep()
    assert attended == [port]
