"""Files read: survey answers, incident counts, and where places are."""
