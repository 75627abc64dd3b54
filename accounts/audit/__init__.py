"""The audit log: what was done, by whom, from where, in a chain that shows any later change."""
