"""An exception that nobody expected, told to people and to the log. What it says may quote a value, so neither quotes it."""

import logging
import traceback

from clusters import addons

logger = logging.getLogger(__name__)


def told(what: str, error: Exception) -> addons.StepFailed:
    """Log where something broke, and return what a person may see of it."""
    place = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s broke with %s:\n%s", what, type(error).__name__, place)
    return addons.StepFailed(
        f"Keyhaven made a mistake here ({type(error).__name__}).",
        "Try again; if it happens again, the worker's log says where.",
    )
