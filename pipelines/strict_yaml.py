"""YAML files read as people mean them, and the error that says where one is wrong.

Belongs here: one file to one mapping. Does not belong here: which file, what it has to hold (`settings`).
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import HubError

try:
    from yaml import CSafeLoader as _YamlLoader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader as _YamlLoader  # type: ignore[assignment]


class ConfigError(HubError):
    """A configuration file, or a variable of the environment, that can't be used; values never shown."""

    def __init__(self, file: str, key: str, expected: str) -> None:
        super().__init__(f"{file}: {key}: expected {expected}")
        self.file = file
        self.key = key
        self.expected = expected


class _Loader(_YamlLoader):
    """YAML as people mean it: only true/false are booleans, dates and codes with a zero stay text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key, _ in node.value:
            if key.value in seen:
                told = f"{key.value} to stand once"
                raise yaml.constructor.ConstructorError(None, None, told, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", "true|false", "tf"),
    ("null", "null|~|", ["n", "~", ""]),
    ("int", "-?(0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]*)\.[0-9]+", "-0123456789"),
    ("merge", "<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^({_pattern})$"), list(_first)
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that is one mapping; raises ConfigError with the line, without the text."""
    try:
        tree = yaml.load(path.read_bytes(), _Loader)  # noqa: S506 - a safe loader, made stricter
    except FileNotFoundError:
        raise ConfigError(str(path), "file", "to be there") from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(str(path), "file", "a UTF-8 text that can be read") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark is not None else "file"
        twice = isinstance(error, yaml.constructor.ConstructorError) and error.problem
        raise ConfigError(str(path), line, str(twice or "valid YAML")) from None
    if not isinstance(tree, dict) or not all(isinstance(k, str) for k in tree):
        raise ConfigError(str(path), "file", "a mapping of keys to values")
    return tree
