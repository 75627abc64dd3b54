"""Deploys with steps that do what a test says, and workers that are not told."""

from types import SimpleNamespace
from typing import Any

import pytest

from clusters import addons, deploys, kubernetes


class FakeStep(addons.Step):
    """A step that does what the test says."""

    label = "Fake"

    def __init__(self, slug: str, order: int, act: Any = None) -> None:
        self.slug, self.order, self.act, self.calls = slug, order, act, 0

    def apply(self, run: addons.Run) -> str:
        self.calls += 1
        if self.act:
            self.act(run)
        return f"{self.slug} done"


@pytest.fixture
def sent(monkeypatch):
    """The messages that the workers would get."""
    messages: list[str] = []
    monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: messages.append("deploy"))
    monkeypatch.setattr(deploys.tasks.look, "delay", lambda cluster_id: messages.append("look"))
    return messages


@pytest.fixture
def steps(monkeypatch):
    """Replace the registered steps; the door opens without a cluster."""

    def use(*wanted: FakeStep) -> tuple[FakeStep, ...]:
        monkeypatch.setattr(addons, "_steps", {"deploy": {step.slug: step for step in wanted}})
        monkeypatch.setattr(kubernetes, "connect", lambda cluster, **_: SimpleNamespace(asked_again=0))
        return wanted

    return use
