from __future__ import annotations

import importlib.metadata
import sys
import types
from dataclasses import replace

import pytest

from sonovec.errors import UsageError
from sonovec.models import logmel, registry


@pytest.fixture
def third_party(monkeypatch):
    """Install modules under the entry point group, as packages of other people's do."""

    def install(**modules):
        points = []
        for name, module in modules.items():
            if module is not None:
                monkeypatch.setitem(sys.modules, name, module)
            points.append(importlib.metadata.EntryPoint(name, name, registry.GROUP))
        monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.GROUP else [])
        registry._known.cache_clear()

    yield install
    registry._known.cache_clear()


def module_with(*cards):
    module = types.ModuleType("family")
    module.CARDS = cards
    module.build = logmel.build
    return module


def test_a_family_is_found_by_its_file():
    assert {"logmel", "vggish"} <= {card.name for card in registry.cards()}
    assert registry.card(registry.DEFAULT)


def test_an_unknown_name_gets_the_nearest_and_all():
    with pytest.raises(UsageError, match="'vgish' is unknown; did you mean 'vggish'. There are: .*logmel.*vggish"):
        registry.build("vgish", {})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pcaa": True}, "has no option 'pcaa'; its options and their defaults: relu=False, pca=False"),
        ({"pca": "yes"}, "option pca='yes' of model 'vggish'; give one of: False, True"),
        ({"pca": 1}, "option pca=1"),
    ],
)
def test_an_unknown_option_or_value_is_refused(options, says):
    with pytest.raises(UsageError, match=says):
        registry.build("vggish", options)


def test_a_third_party_model_is_found_and_builds(third_party):
    third_party(theirs=module_with(replace(logmel.CARDS[0], name="theirs")))
    assert registry.card("theirs").dim == 192
    assert registry.build("theirs", {}).card.name == "theirs"
    assert registry.notes() == []


def test_a_broken_third_party_package_is_noted_and_harms_nobody(third_party):
    third_party(absent_package=None, clash=module_with(logmel.CARDS[0]))
    assert {"logmel", "vggish"} <= {card.name for card in registry.cards()}
    assert "absent_package" in registry.notes()[0] and "ModuleNotFoundError" in registry.notes()[0]
    assert "the name 'logmel' is taken" in registry.notes()[1]
