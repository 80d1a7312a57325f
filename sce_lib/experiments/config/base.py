"""What every part of a config rests on: its base, the kinds of its values, how an error is told."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from sce_lib import nearest, quoted

__all__ = ["Floor", "NonNegative", "Part", "Positive", "Profile", "Protocol", "Rate", "Section", "Seed"]
__all__ += ["Word", "did_you_mean", "explain", "in_a_line"]

Protocol = Literal["paper", "released"]
Profile = Literal["smoke", "laptop", "full"]
Section = Literal["5.1", "5.2", "5.3"]
Rate = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Floor = Annotated[float, Field(lt=0.0, allow_inf_nan=False)]


def _of_plain_letters(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        plain = "letters, digits, '.', '_' and '-' alone, beginning with a letter or digit"
        raise ValueError(f"this name is to have {plain}, not {quoted(name)}")
    return name


# Of a data set, a network, a set of labels: it becomes part of the names of files.
Word = Annotated[str, Field(max_length=100), AfterValidator(_of_plain_letters)]
# What torch's generators take.
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Part(BaseModel):
    """Base of every part of a config: frozen, and no key goes unnoticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    # Fields that were added after the first records: at their default they are not written.
    later: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _as_before_they_were_added(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        kept: dict[str, Any] = serialize(self)
        for name in self.later:
            if getattr(self, name) == type(self).model_fields[name].default:
                kept.pop(name, None)
        return kept


# So many values that are wrong are told of.
_TOLD = 5


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message on a name that is not known: what it may mean, or nothing.

    Examples
    --------
    >>> did_you_mean("figur1", ["figure1", "table1"]), did_you_mean("x", ["figure1"])
    (". Did you mean 'figure1'?", '')
    """
    near = nearest(name, known)
    return f". Did you mean {near!r}?" if near else ""


def explain(error: BaseException) -> str:
    """Return an error's message, words for one that has none; pydantic's as a line for each wrong value.

    Examples
    --------
    >>> from sce_lib.experiments.config.parts import Noise
    >>> try:
    ...     Noise(kind="symmetric", rate=2)
    ... except ValueError as error:
    ...     print(explain(error))
    rate: Input should be less than or equal to 1, not 2
    """
    if not isinstance(error, ValidationError):
        untold = "no memory was left" if isinstance(error, MemoryError) else "it says no more"
        return str(error) or untold
    lines, problems = [], error.errors(include_url=False)
    for problem in problems[:_TOLD]:
        place = ".".join(map(_key, problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        own = problem["type"] in ("value_error", "json_invalid")  # these say themselves what was given
        lines.append(f"{place}: {message}" + ("" if own else f", not {quoted(problem['input'])}"))
    if len(problems) > _TOLD:
        lines.append(f"and {len(problems) - _TOLD} more like these")
    return "\n     ".join(line.removeprefix(": ") for line in lines)


def in_a_line(error: BaseException) -> str:
    """Return an error's kind and the first line of its message; torch's have lines of where it was, in C++.

    Examples
    --------
    >>> in_a_line(MemoryError()), in_a_line(RuntimeError("too large" + chr(10) + "frame #0: ..."))
    ('MemoryError: no memory was left', 'RuntimeError: too large')
    """
    return f"{type(error).__name__}: {explain(error).strip().splitlines()[0]}"


def _key(part: str | int) -> str:
    return str(part) if re.fullmatch(r"[\w.+-]{1,100}", str(part)) else quoted(part)
