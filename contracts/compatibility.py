"""Whether a new schema keeps what an earlier one of the same type promised to readers and writers.

Adding an optional field, a value to an enumeration or room in a limit is allowed; everything else is a new version.
"""

from collections.abc import Iterator

from contracts.json_schema import Schema, resolved

_UPPER_LIMITS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER_LIMITS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_FIXED = ("type", "const", "format", "pattern", "default")


def broken_promises(old: Schema, new: Schema) -> list[str]:
    """Give every way in which the new schema breaks the old one, each with a pointer to the field."""
    return list(_compared(old, new, old, new, ""))


def _compared(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    old, new = resolved(old, old_root), resolved(new, new_root)
    yield from _fixed(old, new, at)
    yield from _limits(old, new, at)
    yield from _fields(old, new, at)
    old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
    for name in old_fields.keys() & new_fields.keys():
        yield from _compared(old_fields[name], new_fields[name], old_root, new_root, f"{at}/{name}")
    for name in old.get("patternProperties", {}).keys() & new.get("patternProperties", {}).keys():
        branches = old["patternProperties"][name], new["patternProperties"][name]
        yield from _compared(*branches, old_root, new_root, f"{at}/({name})")
    for word in ("items", "additionalProperties", "propertyNames"):
        inner_old, inner_new = old.get(word), new.get(word)
        if isinstance(inner_old, dict) and isinstance(inner_new, dict):
            yield from _compared(inner_old, inner_new, old_root, new_root, f"{at}/({word})")
    yield from _branches(old, new, old_root, new_root, at)


def _fixed(old: Schema, new: Schema, at: str) -> Iterator[str]:
    for word in _FIXED:
        if old.get(word) != new.get(word):
            yield f"{at or '/'}: {word} was {old.get(word)!r} and is {new.get(word)!r}"
    lost = set(old.get("enum", ())) - set(new.get("enum", ()))
    if lost:
        yield f"{at or '/'}: values {sorted(lost)} are gone"
    if "enum" in new and "enum" not in old:
        yield f"{at or '/'}: any value was allowed, now only {new['enum']}"


def _limits(old: Schema, new: Schema, at: str) -> Iterator[str]:
    for word in _UPPER_LIMITS:
        if word in new and (word not in old or new[word] < old[word]):
            yield f"{at or '/'}: {word} was {old.get(word, 'without limit')} and is {new[word]}"
    for word in _LOWER_LIMITS:
        if word in new and (word not in old or new[word] > old[word]):
            yield f"{at or '/'}: {word} was {old.get(word, 'without limit')} and is {new[word]}"


def _fields(old: Schema, new: Schema, at: str) -> Iterator[str]:
    for name in sorted(old.get("properties", {}).keys() - new.get("properties", {}).keys()):
        yield f"{at}/{name}: removed"
    for name in sorted(old.get("patternProperties", {}).keys() ^ new.get("patternProperties", {}).keys()):
        yield f"{at}/({name}): the pattern of keys changed"
    old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(new_required - old_required):
        yield f"{at}/{name}: newly required"
    for name in sorted(old_required - new_required):
        yield f"{at}/{name}: no longer required, which older readers rely on"


def _branches(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    """A branch of the old schema has to live on in one of the new ones."""
    new_branches = new.get("anyOf", [])
    if "anyOf" in old and not new_branches:
        yield f"{at or '/'}: the choice of several shapes is gone"
        return
    for number, branch in enumerate(old.get("anyOf", [])):
        attempts = [
            list(_compared(branch, other, old_root, new_root, f"{at}/(anyOf {number})")) for other in new_branches
        ]
        if all(attempts):
            yield from min(attempts, key=len)
