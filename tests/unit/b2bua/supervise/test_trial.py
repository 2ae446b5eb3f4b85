"""What the installed code says of itself before an upgrade, and what it is refused for."""

from __future__ import annotations

import os
from pathlib import Path

from b2bua.call.schema import READS, SCHEMA
from b2bua.commands.trial import examine
from b2bua.supervise.trial_report import TrialReport, objections
from b2bua.switchboard.call_slots import CallSlots
from b2bua.switchboard.kept_trial import try_calls
from tests.kept_samples import read_samples
from tonewall.interface import INTERFACE
from tonewall.version import VERSION

GOOD = TrialReport(version="2", interface=INTERFACE, schema=SCHEMA + 1, reads=(SCHEMA + 1, SCHEMA))


def test_calls_are_read_as_they_are_and_left_so() -> None:
    file = os.memfd_create("slots")
    try:
        slots = CallSlots(file)
        slots.begin()
        samples = read_samples(SCHEMA)
        for each in samples:
            slots.write(each.call, each.data)
        before = os.pread(file, os.fstat(file).st_size, 0)
        assert try_calls(file, 1e9) == (len(samples), ())
        count, reasons = try_calls(file, 1.0)
        assert (count, len(reasons)) == (len(samples), 5)
        assert "the machine was started again" in reasons[0]
        slots.write("other", b"no call")
        assert len(try_calls(file, 1e9)[1]) == 1
        slots.drop("other")
        assert os.pread(file, len(before), 0)[4096:] == before[4096:]
    finally:
        os.close(file)


def test_the_report_is_of_this_code_and_has_the_faults_of_the_file(tmp_path: Path) -> None:
    conf = tmp_path / "sip.conf"
    conf.write_text("[carrier]\nhost = 192.0.2.1\nport = many\n")
    report = examine(conf, None)
    assert (report.version, report.schema, report.reads) == (VERSION, SCHEMA, READS)
    assert any("[carrier] port" in fault for fault in report.faults)
    assert objections(report) == report.faults


def test_a_version_is_refused_that_speaks_otherwise_or_reads_other_calls() -> None:
    assert objections(GOOD) == ()
    [other] = objections(TrialReport(version="2", interface=INTERFACE + 1, schema=1, reads=(SCHEMA,)))
    assert other.startswith(f"its processes speak otherwise with each other (interface {INTERFACE + 1},")
    [unread] = objections(TrialReport(version="2", interface=INTERFACE, schema=9, reads=(9, 8)))
    assert "but 9 and 8" in unread
    assert objections(
        TrialReport(version="2", interface=INTERFACE, schema=1, reads=(SCHEMA,), unreadable=("call 1: no",))
    ) == ("call 1: no",)
