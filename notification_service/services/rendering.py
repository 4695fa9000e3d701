"""Templates turned into HTML and text.

A mail's page is put together and its styles are moved onto the elements once, when the process
starts: mail clients drop style sheets, and inlining on every mail would cost more than rendering.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

TEMPLATES: Final = Path(__file__).parent.parent / "templates"
_CONTENT: Final = "<!--content-->"
_INCLUDE: Final = re.compile(r"<!--include ([a-z_]+)-->")

# Directives look like HTML comments, which are allowed between table rows; the inliner's HTML
# parser would move bare text out of the table.
_HTML: Final = Environment(
    block_start_string="<!--%",
    block_end_string="%-->",
    comment_start_string="<!--#",
    comment_end_string="#-->",
    autoescape=True,
    undefined=StrictUndefined,
)
_TEXT: Final = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=False,  # noqa: S701 - plain text
    undefined=StrictUndefined,
    keep_trailing_newline=False,
)


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """One kind of mail, ready to be filled in."""

    name: str
    page: Template
    text: Template

    @classmethod
    def load(cls, name: str) -> "MailTemplate":
        return cls(name, _HTML.from_string(_inlined(name)), _TEXT.get_template("layout.txt"))

    def html(self, values: Mapping[str, Any]) -> str:
        """Fill the page in; every value is escaped."""
        return self.page.render(values)

    def plain(self, values: Mapping[str, Any]) -> str:
        return self.text.render(values, mail=f"mails/{self.name}.txt").strip() + "\n"


def template_names() -> list[str]:
    return sorted(path.stem for path in (TEMPLATES / "mails").glob("*.html"))


def _inlined(name: str) -> str:
    content = _INCLUDE.sub(
        lambda found: _read(f"parts/{found[1]}.html"), _read(f"mails/{name}.html")
    )
    page = _read("layout.html").replace(_CONTENT, content)
    inliner = css_inline.CSSInliner(
        extra_css=_read("styles.css"), keep_at_rules=True, load_remote_stylesheets=False
    )
    return inliner.inline(page)


def _read(path: str) -> str:
    return (TEMPLATES / path).read_text(encoding="utf-8")
