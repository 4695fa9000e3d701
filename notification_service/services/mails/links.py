"""Nothing that somebody typed becomes a link in our mails.

Mail programs turn what looks like an address into a link by themselves, so that escaping alone does
not keep a product, a store or a person from leading readers elsewhere. Invisible non-joiners around
each dot and at sign, and around the colon of `https://`, end what they take for an address.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

_NON_JOINER: Final = "\u200c"
# Before a letter only: amounts and versions, 1.5, are no addresses.
_JOINTS: Final = re.compile(
    r"(?<=\w)[.\u3002\uff0e\uff61](?=[^\W\d_])|(?<=\bwww)\.|(?<=\w)@(?=\w)|(?<=\w):(?=/)",
    re.IGNORECASE,
)


def without_links(value: Any, *, home: str, known: Collection[str]) -> Any:
    """Return a mail's value with all that would become a link taken apart, in lists and dicts too.

    Left as they are: what leads to `home`, the shop's own pages, and the `known` addresses.
    """
    if isinstance(value, Mapping):
        return {name: without_links(each, home=home, known=known) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_links(each, home=home, known=known) for each in value]
    if not isinstance(value, str) or value in known or _is_own(value, home):
        return value
    return _JOINTS.sub(rf"{_NON_JOINER}\g<0>{_NON_JOINER}", value)


def _is_own(text: str, home: str) -> bool:
    """Tell a link of ours from a text that only begins like one."""
    follows = text[len(home) : len(home) + 1]
    return text.startswith(home) and follows in {"", "/"} and not re.search(r"[\s<>]", text)
