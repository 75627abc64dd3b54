"""Documents in Elasticsearch, which the console encrypts."""
