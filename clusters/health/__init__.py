"""Whether clusters are well: looked at in the background, told once when it turns, kept as stretches of time."""
