"""The JSON API: what its calls share. Each app has its calls in `api.py`; docs/api.md says how to add one."""
