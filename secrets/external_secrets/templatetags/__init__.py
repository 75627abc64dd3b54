"""What templates ask of links."""
