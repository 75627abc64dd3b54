"""The steps that install the operator and create the stores."""

from accesses.steps.operator import Operator
from accesses.steps.stores import Stores
from accesses.steps.verify import Verify

__all__ = ["Operator", "Stores", "Verify"]
