"""Reads a calendar with the library `icalendar` from PyPI, and says what stands in it.

In:  {"ics": text, "samples": {zone: [[local time, seconds east of UTC], ...]}}
Out: {"events": [{property: text}, ...], "wrong": [what another offset than in the samples is found for]}
"""

import json
import sys
from datetime import datetime

import icalendar


def text(value):
    if isinstance(value, icalendar.prop.vCategory):
        return "|".join(str(one) for one in value.cats)
    if hasattr(value, "dt"):
        return value.dt.isoformat()
    return str(value)


def offsets(calendar, samples):
    zones = {str(it["TZID"]): it.to_tz(lookup_tzid=False) for it in calendar.walk("VTIMEZONE")}
    for name, pairs in samples.items():
        for local, expected in pairs:
            at = datetime.fromisoformat(local).replace(tzinfo=zones[name])
            found = int(at.utcoffset().total_seconds())
            if found != expected:
                yield f"{name} {local}: {found}, not {expected}"


def main():
    asked = json.load(sys.stdin)
    calendar = icalendar.Calendar.from_ical(asked["ics"])
    faults = [str(fault) for it in calendar.walk() for fault in it.errors]
    assert not faults, faults
    events = [
        {name: text(value) for name, value in event.items()} for event in calendar.walk("VEVENT")
    ]
    wrong = list(offsets(calendar, asked.get("samples", {})))
    json.dump({"events": events, "wrong": wrong[:20]}, sys.stdout)


main()
