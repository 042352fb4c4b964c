"""The sample configuration, `etc/canary.conf`: every option with its help, commented out."""

from __future__ import annotations

import textwrap

from canary.config.loading import SEARCHED
from canary.config.option import Option
from canary.config.options import GROUPS, options

_HEAD = f"""\
Every option of Canary, commented out, with its default. `python -m canary.config` prints this file.

canary-producer, canary-worker, canary-server and `canary doctor` read the files given with \
--config-file, or the first of these that exists: {", ".join(SEARCHED)}. An environment variable \
wins over the files; it is named after the group and the option, for example OS_ZOOKEEPER__HOSTS \
for [zookeeper] hosts. Unknown names are an error, in files and in variables. A line break at the \
end of a variable is not part of its value. Spaces around a value are kept in passwords, and \
removed elsewhere.

A list is separated by commas and may continue on indented lines. Quotes around a whole value are \
removed. A comment needs its own line. No other character is special: a $ is a $. An option \
without a default below is not set; an empty value leaves it unset.
"""


def sample() -> str:
    """Return the text of the sample file. With all options uncommented, it sets the defaults."""
    blocks = [_comment(paragraph.replace("\n", " ")) for paragraph in _HEAD.split("\n\n")]
    text = "#\n".join(blocks)
    for group, of in GROUPS.items():
        text += f"\n[{group}]\n{_comment(' '.join(str(of.__doc__).split()))}"
        text += "".join(_entry(option) for option in options(group))
    return text


def _entry(option: Option) -> str:
    default = "" if option.default is None else option.default
    if isinstance(default, tuple):
        default = ",".join(default)
    elif isinstance(default, bool):
        default = str(default).lower()
    about = f"{option.help}\nAllowed: {option.kind.allowed}."
    return f"\n{_comment(about)}#{option.name} = {default}".rstrip() + "\n"


def _comment(text: str) -> str:
    lines = [part for line in text.strip().split("\n") for part in textwrap.wrap(line, 96)]
    return "".join(f"# {line}\n" for line in lines)
