"""What leaves the console: the audit log forwarded, and people told of what happened. Both are a destination."""
