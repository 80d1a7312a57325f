"""What is wrong with a config or a record, said to people."""

from pydantic import ValidationError


def explain(error: Exception) -> str:
    """Return an error's message; pydantic's as a line for each value that is wrong.

    Examples
    --------
    >>> from sce_lib.config import RunConfig
    >>> try:
    ...     RunConfig.preset("digits", "sl", seed=-1)
    ... except ValueError as error:
    ...     print(explain(error))
    seed: Input should be greater than or equal to 0, not -1
    """
    if not isinstance(error, ValidationError):
        return str(error)
    lines = []
    for problem in error.errors(include_url=False):
        place = ".".join(map(str, problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        own = problem["type"] in ("value_error", "json_invalid")  # these say themselves what was given
        lines.append(f"{place}: {message}" + ("" if own else f", not {problem['input']!r}"))
    return "\n     ".join(line.removeprefix(": ") for line in lines)
