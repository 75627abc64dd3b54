"""One module a cloud: signing in, asking, and what its refusals mean."""
