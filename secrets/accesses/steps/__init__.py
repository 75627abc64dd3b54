"""The steps that make identities, install the operator, create the stores, clear up, and uninstall the operator."""

from accesses.steps.identity import Identities
from accesses.steps.leftovers import Leftovers
from accesses.steps.operator import Operator
from accesses.steps.stores import Stores
from accesses.steps.uninstall import Uninstall, UninstallLast
from accesses.steps.verify import Verify

__all__ = ["Identities", "Leftovers", "Operator", "Stores", "Uninstall", "UninstallLast", "Verify"]
