"""The people of an organization: their roles, what these let them do, and how they leave."""
