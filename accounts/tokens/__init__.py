"""API tokens: a person's, which may do what the person may and no more, and an organization's."""
