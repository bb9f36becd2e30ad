"""What is wrong with a request, said as Medusa says it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

MAX_PROBLEMS: Final = 3
MAX_RECEIVED_LENGTH: Final = 80

_EXPECTED_TYPES: Final = {
    "string_type": "string",
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "int_type": "number",
    "int_parsing": "number",
    "int_from_float": "integer",
    "float_type": "number",
    "list_type": "array",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
    "datetime_type": "date",
    "datetime_from_date_parsing": "date",
    "datetime_parsing": "date",
}
_TOO_SMALL: Final = {
    "greater_than_equal": "ge",
    "string_too_short": "min_length",
    "too_short": "min_length",
}
_TOO_BIG: Final = {
    "less_than_equal": "le",
    "string_too_long": "max_length",
    "too_long": "max_length",
}


def message(errors: Sequence[Mapping[str, Any]]) -> str:
    """One sentence for pydantic's errors: up to three problems, joined by `; `.

    Unknown keys of one object are named together.
    """
    problems: list[str] = []
    for error in errors:
        if error["type"] == "extra_forbidden":
            problem = _unrecognized(error, errors)
        else:
            problem = _problem(error)
        if problem not in problems:
            problems.append(problem)
    return f"Invalid request: {'; '.join(problems[:MAX_PROBLEMS])}"


def _unrecognized(error: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> str:
    siblings = [
        str(other["loc"][-1])
        for other in errors
        if other["type"] == "extra_forbidden" and other["loc"][:-1] == error["loc"][:-1]
    ]
    return f"Unrecognized fields: '{', '.join(siblings)}'"


def _problem(error: Mapping[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    path = ", ".join(str(part) for part in error["loc"] if part not in {"body", "query"})
    if not path and error["loc"][:1] == ("body",):
        return "The body must be a JSON object, with content-type application/json"
    if kind == "missing":
        return f"Field '{path}' is required"
    if kind in _EXPECTED_TYPES:
        return (
            f"Expected type: '{_EXPECTED_TYPES[kind]}' for field '{path}', "
            f"got: '{_received(error['input'])}'"
        )
    if kind in {"literal_error", "enum"}:
        expected = context["expected"].replace("'", "").replace(" or ", ", ")
        return f"Expected: '{expected}' for field '{path}', but got: '{_received(error['input'])}'"
    if kind in _TOO_SMALL:
        return (
            f"Value for field '{path}' too small, expected at least: '{context[_TOO_SMALL[kind]]}'"
        )
    if kind in _TOO_BIG:
        return f"Value for field '{path}' too big, expected at most: '{context[_TOO_BIG[kind]]}'"
    if kind == "finite_number":
        return f"Value for field '{path}' not finite"
    return f"{error['msg']}, for field '{path}'"


def _received(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > MAX_RECEIVED_LENGTH:
        return f"{text[:MAX_RECEIVED_LENGTH]}…"
    return text
