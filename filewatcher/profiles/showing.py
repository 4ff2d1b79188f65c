"""A profile as YAML that can be loaded again, every value with its origin; and as a JSON Schema for editors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from filewatcher.profiles.model import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.profiles.loading import Loaded, Place

DEFAULT_ORIGIN = "default"


def flat(profile: Profile) -> Iterator[tuple[Place, Any]]:
    """Yield place and value, as written in YAML, of every key; sections and their keys in the model's order."""
    for name, value in profile.model_dump(mode="json").items():
        if isinstance(value, dict):
            yield from (((name, inner), one) for inner, one in value.items())
        else:
            yield (name,), value


def origin(loaded: Loaded, place: Place) -> str:
    """Say where a value comes from: file and line, variable, option, or default."""
    found = loaded.origins.get(place)
    return DEFAULT_ORIGIN if found is None else str(found)


def as_yaml(loaded: Loaded) -> str:
    """Write the whole profile, defaults included, with the origin of every value as a comment."""
    lines: list[tuple[str, str]] = []
    section = None
    for place, value in flat(loaded.profile):
        if len(place) == 2 and place[0] != section:
            section = place[0]
            lines.append((f"{section}:", ""))
        lines.extend(_lines(loaded, place, value))
    width = min(60, max(len(line) for line, _ in lines))
    return "".join(f"{line:<{width}}  # {where}\n" if where else f"{line}\n" for line, where in lines)


def _lines(loaded: Loaded, place: Place, value: object) -> Iterator[tuple[str, str]]:
    indent = "  " * (len(place) - 1)
    match value:
        case list() if value:
            yield f"{indent}{place[-1]}:", origin(loaded, place)
            yield from ((f"{indent}  - {_scalar(item)}", "") for item in value)
        case list():
            yield f"{indent}{place[-1]}: []", origin(loaded, place)
        case dict() if value:
            yield f"{indent}{place[-1]}:", ""
            for name, one in value.items():
                yield f"{indent}  {name}: {_scalar(one)}", origin(loaded, (*place, name))
        case dict():
            yield f"{indent}{place[-1]}: {{}}", origin(loaded, place)
        case _:
            yield f"{indent}{place[-1]}: {_scalar(value)}", origin(loaded, place)


def _scalar(value: object) -> str:
    """Write one value; quoted where YAML might read something else.

    >>> _scalar(None), _scalar("8h"), _scalar("no: yes"), _scalar("")
    ('null', '8h', '"no: yes"', '""')
    """
    if value is None:
        return "null"
    text = str(value)
    if text not in {"null", "~"} and re.fullmatch(r"[A-Za-z0-9/$~.][A-Za-z0-9/$~._+=@,:()-]*(?<!:)", text):
        return text
    escaped = "".join(_escaped(sign) for sign in text)
    return f'"{escaped}"'


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return "\\" + sign
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"


def schema() -> dict[str, Any]:
    """Make the JSON Schema of a profile file: what the merged profile must have is not required of each file."""
    made = Profile.model_json_schema()
    written = Profile().model_dump(mode="json")
    keys = {name: _key(key, written[name]) for name, key in made["properties"].items()}
    for section in made["$defs"].values():
        name = section.pop("title").lower()
        section["properties"] = {inner: _key(key, written[name][inner]) for inner, key in section["properties"].items()}
    extends = {"type": ["string", "null"], "description": "name or path of the profile that this one builds on"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A profile of filewatcher",
        "type": "object",
        "additionalProperties": False,
        "required": ["version"],
        "properties": {"version": keys.pop("version"), "extends": extends, **keys},
        "$defs": made["$defs"],
    }


def _key(key: dict[str, Any], written: object) -> dict[str, Any]:
    """Describe one key as it is written in YAML, where null stands for its default."""
    if "$ref" in key:
        return {"$ref": key["$ref"]}
    made = {name: value for name, value in key.items() if name not in {"title", "default"}}
    if "anyOf" not in made:
        made["type"] = [made["type"], "null"]
    elif {"type": "null"} not in made["anyOf"]:
        made["anyOf"] = [*made["anyOf"], {"type": "null"}]
    return made if written is None else made | {"default": written}
