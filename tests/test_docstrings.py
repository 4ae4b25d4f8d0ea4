"""The examples in the docstrings of the package are true."""

import doctest
import importlib
import pkgutil

import pytest

import rag

MODULES = sorted(module.name for module in pkgutil.walk_packages(rag.__path__, "rag.") if not module.name.endswith("__main__"))


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
