"""The API's calls on names, on external secrets and on what uses an access, a module for each."""
