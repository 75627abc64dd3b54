"""The steps that install the operator, create the stores, and uninstall the operator."""

from accesses.steps.operator import Operator
from accesses.steps.stores import Stores
from accesses.steps.uninstall import Uninstall
from accesses.steps.verify import Verify

__all__ = ["Operator", "Stores", "Uninstall", "Verify"]
