"""The gateway: where the operator reads values of the stores that the console itself keeps or encrypts."""
