"""Signing in: passwords, second factors, single sign-on, sessions, and proving it again before what is dangerous."""
