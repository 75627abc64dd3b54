"""External secrets: names browsed by prefix, linked to services, injected, and their state."""
