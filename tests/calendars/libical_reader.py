"""Read a calendar from standard input with libical and print what it understood as JSON.

Runs under the system's Python, which has the introspection bindings.
"""

import json
import sys

import gi

gi.require_version("ICalGLib", "3.0")
from gi.repository import ICalGLib  # noqa: E402


def _instant(moment):  # noqa: ANN001, ANN202
    return moment.as_timet_with_zone(moment.get_timezone() or ICalGLib.Timezone.get_utc_timezone())


root = ICalGLib.Component.new_from_string(sys.stdin.buffer.read().decode())
events = []
event = root.get_first_component(ICalGLib.ComponentKind.VEVENT_COMPONENT)
while event is not None:
    events.append(
        {
            "uid": event.get_uid(),
            "starts": _instant(event.get_dtstart()),
            "ends": _instant(event.get_dtend()),
            "summary": event.get_summary(),
            "description": event.get_description(),
            "location": event.get_location(),
        }
    )
    event = root.get_next_component(ICalGLib.ComponentKind.VEVENT_COMPONENT)
report = {
    "events": events,
    "fits_the_method": bool(ICalGLib.restriction_check(root)),
    "errors": root.count_errors(),
}
json.dump(report, sys.stdout)
