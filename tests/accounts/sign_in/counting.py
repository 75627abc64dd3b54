"""A password hasher that counts: what a flood may cost is a number of hashes."""

from django.contrib.auth.hashers import MD5PasswordHasher

count = {"hashes": 0}


class Counting(MD5PasswordHasher):
    algorithm = "counting"

    def encode(self, password, salt):
        count["hashes"] += 1
        return super().encode(password, salt)

    def decode(self, encoded):
        return super().decode(encoded)
