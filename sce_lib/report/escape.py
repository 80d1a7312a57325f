"""Names that others gave, made harmless for where they are shown: pages, tables, figures.

Names of classes, of sources, of devices come from records, and records come from anyone.
"""

import html as _html
import re

# What Markdown, or MyST, takes for more than a sign: roles, directives, links, code, emphasis, mathematics.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>|$~]")


def html(name: str) -> str:
    r"""Return a name as HTML shows it, in one line.

    Examples
    --------
    >>> html("<script>\n```")
    '&lt;script&gt; ```'
    """
    return _html.escape(" ".join(name.splitlines()))


def markdown(name: str) -> str:
    r"""Return a name as Markdown shows it, in one line, in a cell of a table too.

    Examples
    --------
    >>> print(markdown("a|b `{include} x`"))
    a\|b \`\{include\} x\`
    """
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(name.splitlines()))


def mathtext(name: str) -> str:
    r"""Return a name as matplotlib shows it: dollars are no mathematics, and it has its place in a legend.

    Examples
    --------
    >>> print(mathtext("$x$"), mathtext("_hidden"))
    \$x\$  _hidden
    """
    # Legends pass over what begins with an underscore.
    return (" " if name.startswith("_") else "") + name.replace("$", r"\$")
