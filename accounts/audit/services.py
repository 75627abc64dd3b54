"""The audit log as the rest of the console uses it: writing an event, and checking a chain."""

from accounts.audit.chain import Chain as Chain
from accounts.audit.chain import verify as verify
from accounts.audit.diff import changes as changes
from accounts.audit.diff import facts as facts
from accounts.audit.hashing import GENESIS as GENESIS
from accounts.audit.writing import record as record
