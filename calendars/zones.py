"""The one time zone that we define, as rules that every calendar program understands."""

from datetime import datetime

TZID = "Europe/Berlin"

# Outlook reads only TZID, DTSTART, RRULE and the offsets: RDATE lists put it an hour off.
# The last change of the rule was the end of summer time in October 1996.
EUROPE_BERLIN = (
    b"BEGIN:VTIMEZONE\r\n"
    b"TZID:Europe/Berlin\r\n"
    b"X-LIC-LOCATION:Europe/Berlin\r\n"
    b"BEGIN:DAYLIGHT\r\n"
    b"DTSTART:19810329T020000\r\n"
    b"RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n"
    b"TZNAME:CEST\r\n"
    b"TZOFFSETFROM:+0100\r\n"
    b"TZOFFSETTO:+0200\r\n"
    b"END:DAYLIGHT\r\n"
    b"BEGIN:STANDARD\r\n"
    b"DTSTART:19961027T030000\r\n"
    b"RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\n"
    b"TZNAME:CET\r\n"
    b"TZOFFSETFROM:+0200\r\n"
    b"TZOFFSETTO:+0100\r\n"
    b"END:STANDARD\r\n"
    b"END:VTIMEZONE\r\n"
)

_FIRST_WHOLE_YEAR = 1997


def is_plain_wall_time(moment: datetime) -> bool:
    """Tell whether the moment can be written as a wall time with our TZID.

    Not in other zones, not in the repeated or the missing hour of a clock change (a TZID time
    carries no fold), and not before the rules of the definition hold.
    """
    return (
        str(moment.tzinfo) == TZID
        and moment.year >= _FIRST_WHOLE_YEAR
        and moment.replace(fold=0).utcoffset() == moment.replace(fold=1).utcoffset()
    )
