"""How mail is written, kept, delivered and heard back; knows nothing of meetings."""
