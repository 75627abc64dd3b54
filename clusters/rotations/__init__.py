"""Guided rotation of cloud credentials: a new key, clusters that move to it by deploys, the end of the old key."""
