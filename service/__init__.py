"""Terminbuch: plans an alliance's sessions, asks partners, keeps calendars right, reminds."""
