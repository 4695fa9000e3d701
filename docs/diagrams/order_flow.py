#!/usr/bin/env python3
"""Draw the order flow: writes `order-flow.dot`, a sequence diagram whose every position is pinned.

Graphviz has no sequence diagrams, so this script lays one out and leaves the drawing of text and
lines to it. Run by `render.sh`; change LANES and ROWS, not the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

INK, MUTED, LINE = "#0f172a", "#64748b", "#cbd5e1"
BLUE, VIOLET, AMBER, RED = "#2563eb", "#7c3aed", "#d97706", "#dc2626"
LANE_WIDTH, ROW_HEIGHT, TOP = 165, 44, 0
GAP = '<br/><font point-size="3"> <br/></font>'  # a line break with some air


@dataclass(frozen=True)
class Lane:
    """One process, named over its life line."""

    key: str
    name: str
    note: str
    border: str
    fill: str


@dataclass(frozen=True)
class Message:
    """An arrow from one lane to another; `step` is the brief's number."""

    source: str
    target: str
    text: str
    step: str = ""
    reply: bool = False
    color: str = INK


@dataclass(frozen=True)
class Act:
    """Something a lane does by itself, in a box on its life line."""

    lane: str
    text: str
    step: str
    detail: str
    border: str = BLUE
    fill: str = "#eff6ff"


@dataclass(frozen=True)
class Band:
    """A title across all lanes: what follows happens in this phase."""

    text: str


LANES = (
    Lane("client", "Client", "with an access token", MUTED, "#f8fafc"),
    Lane("gateway", "gateway", ":8080", BLUE, "#dbeafe"),
    Lane("order", "order_service", ":8083", BLUE, "#eff6ff"),
    Lane("catalog", "catalog_service", ":8082", BLUE, "#eff6ff"),
    Lane("relay", "order worker", "relay", VIOLET, "#f5f3ff"),
    Lane("bus", "SNS and SQS", "order-events", AMBER, "#fef3c7"),
    Lane("notify", "notification worker", "consumer", VIOLET, "#f5f3ff"),
    Lane("ses", "SES", "HTML mail", AMBER, "#fef3c7"),
)

GREEN_BOX = {"border": "#059669", "fill": "#ecfdf5"}
ROWS: tuple[Message | Act | Band, ...] = (
    Band("While the customer waits"),
    Message("client", "gateway", "POST /api/orders", "1"),
    Act("gateway", "token, limit," + GAP + "revocation", "2", "one trip to Redis"),
    Message("gateway", "order", "forward", "3"),
    Message("order", "catalog", "reserve these lines", "4-6"),
    Act(
        "catalog",
        "lock, then TX1:" + GAP + "guarded update",
        "7",
        "joined with who waits",
        **GREEN_BOX,
    ),
    Message("catalog", "order", "HELD, with prices", "8", reply=True),
    Act("order", "TX2: the order," + GAP + "all of it", "9", "one commit decides", **GREEN_BOX),
    Message("order", "gateway", "201", reply=True),
    Message("gateway", "client", "201 Created", reply=True),
    Band("After the answer: woken by the commit, not by a timer"),
    Message("order", "relay", "wake", color=VIOLET),
    Message("relay", "bus", "ORDER_CREATED", "10", color=AMBER),
    Message("bus", "notify", "fan-out, long poll", "11-12", color=AMBER),
    Message("bus", "catalog", "the catalog worker hears it too: HELD → COMMITTED", color=AMBER),
    Message("notify", "ses", "send", "13", color=AMBER),
    Act("notify", "SENT in" + GAP + "notification_logs", "14", "then delete", **GREEN_BOX),
)


MIDDLE = (len(LANES) - 1) * LANE_WIDTH / 2
SUBTITLE = "the fourteen steps: one internal call, one transaction, then everything else by events"
NOTES = (
    "<b>TX2, in this order</b>",
    "1.  idempotency key, PLACED: this insert is the decision",
    "2.  order, items, history, payment, coupon redemption",
    "3.  the outbox row: the event cannot be lost any more",
    "4.  the coupon's counter, last, so that its row is locked shortly",
    " ",
    "<b>A process dies</b>",
    "before TX2 commits:  the sweeper gives the stock back, once",
    "after TX2:  the order stands; a retry gets the same 201",
    "after publishing, before the mark:  the second event is dropped",
    "after SES, before SENT:  at most one more mail",
)


def lane_x(key: str) -> int:
    """Return the x of a lane's life line, in points."""
    return next(i for i, lane in enumerate(LANES) if lane.key == key) * LANE_WIDTH


def row_height(row: Message | Act | Band) -> int:
    """Return the room a row takes: a box needs more than an arrow."""
    return {Message: ROW_HEIGHT, Act: 74, Band: 62}[type(row)]


def node(name: str, x: float, y: float, label: str, **attributes: object) -> str:
    """Place a node of given attributes, its label in Graphviz's HTML."""
    given = "".join(f'{key}="{value}", ' for key, value in attributes.items())
    return f'  {name} [pos="{x},{y}!", {given}label=<{label}>]'


def point(name: str, x: float, y: float) -> str:
    """Place an invisible corner for an arrow to start or end at."""
    return f'  {name} [pos="{x},{y}!", shape=point, style=invis, width=0.001, label=""]'


def text(name: str, x: float, y: float, html: str, color: str = INK) -> str:
    """Set words on a white ground, so that life lines do not run through them."""
    ground = {"shape": "plaintext", "style": "filled", "fillcolor": "white", "margin": "0.04,0.02"}
    return node(name, x, y, html, **ground, width=0, height=0, fontsize=12, fontcolor=color)


def box(
    name: str, x: float, y: float, label: str, size: tuple[float, float], **look: object
) -> str:
    """Draw a box of a fixed size in inches."""
    return node(name, x, y, label, fixedsize="true", width=size[0], height=size[1], **look)


def badge(name: str, x: float, y: float, step: str) -> str:
    """Set the step's number as the brief counts it."""
    look = {"color": INK, "fillcolor": INK, "fontcolor": "white", "fontsize": 11}
    return box(name, x, y, f"<b>{step}</b>", (badge_width(step) / 72, 0.24), **look)


def badge_width(step: str) -> int:
    """Return the width of a badge in points; a range of steps needs more."""
    return 36 if "-" in step else 22


def draw_lane(lane: Lane, bottom: float) -> list[str]:
    """Draw the head of a lane and its life line."""
    x = lane_x(lane.key)
    label = f'<b>{lane.name}</b>{GAP}<font point-size="11" color="{MUTED}">{lane.note}</font>'
    return [
        point(f"{lane.key}_top", x, TOP - 24),
        point(f"{lane.key}_end", x, bottom),
        f'  {lane.key}_top -> {lane.key}_end [dir=none, color="{LINE}", penwidth=1.2]',
        box(lane.key, x, TOP, label, (2.0, 0.66), color=lane.border, fillcolor=lane.fill),
    ]


def draw_message(i: int, row: Message, y: float) -> list[str]:
    """Draw an arrow, its words above it and its number at its tail."""
    start, end = lane_x(row.source), lane_x(row.target)
    right = 1 if end > start else -1
    tail = badge_width(row.step) if row.step else 0
    look = f'style={"dashed" if row.reply else "solid"}, color="{row.color}"'
    lines = [
        point(f"a{i}", start, y),
        point(f"b{i}", end, y),
        f"  a{i} -> b{i} [{look}, penwidth=1.5, arrowsize=0.75]",
        text(f"t{i}", (start + end + right * tail * 0.8) / 2, y + 12, row.text, row.color),
    ]
    return [*lines, badge(f"n{i}", start + right * (tail / 2 + 5), y, row.step)] if tail else lines


def draw_act(i: int, row: Act, y: float) -> list[str]:
    """Draw a box on a life line."""
    x = lane_x(row.lane)
    label = f'{row.text}{GAP}<font point-size="10" color="{MUTED}">{row.detail}</font>'
    look = {"color": row.border, "fillcolor": row.fill, "fontsize": 12}
    return [
        box(f"x{i}", x, y, label, (1.72, 0.78), **look),
        badge(f"n{i}", x - 62, y + 28, row.step),
    ]


def draw_band(i: int, row: Band, y: float) -> list[str]:
    """Draw a title bar across the picture."""
    look = {"color": "#e2e8f0", "fillcolor": "#f1f5f9", "fontcolor": "#475569", "fontsize": 12}
    return [
        box(f"band{i}", MIDDLE, y, f"<b>{row.text}</b>", ((2 * MIDDLE + 150) / 72, 0.36), **look)
    ]


def draw_row(i: int, row: Message | Act | Band, y: float) -> list[str]:
    """Draw one row around its middle line."""
    if isinstance(row, Message):
        return draw_message(i, row, y)
    if isinstance(row, Act):
        return draw_act(i, row, y)
    return draw_band(i, row, y)


def draw_notes() -> str:
    """Say what TX2 holds and what a crash leaves, where the picture has room."""
    rows = "".join(f'<tr><td align="left">  {line}  </td></tr>' for line in NOTES)
    style = f'border="1" color="{LINE}" bgcolor="#f8fafc" cellborder="0" cellpadding="5"'
    table = f'<table {style} cellspacing="0" style="rounded">{rows}</table>'
    look = {"shape": "plain", "style": "", "fontsize": 12, "fontcolor": "#475569"}
    return node("notes", lane_x("bus") + LANE_WIDTH / 2, -247, table, **look)


def draw_title() -> str:
    """Set the heading over the lanes."""
    rows = (
        '<font point-size="27"><b>Order flow</b></font>',
        f'<font point-size="14" color="{MUTED}">{SUBTITLE}</font>',
    )
    cells = "".join(f"<tr><td>{row}</td></tr>" for row in rows)
    return text("title", MIDDLE, 84, f'<table border="0" cellpadding="3">{cells}</table>')


def draw() -> str:
    """Return the diagram as dot: life lines first, so that all else lies over them."""
    y, body = TOP - 24.0, [draw_notes()]
    for i, row in enumerate(ROWS):
        body += draw_row(i, row, y - row_height(row) / 2)
        y -= row_height(row)
    lanes = [line for lane in LANES for line in draw_lane(lane, y - 6)]
    return "\n".join((HEADER, draw_title(), *lanes, *body, "}", ""))


HEADER = """// Written by order_flow.py; change that, not this. Render: ./render.sh
digraph order_flow {
  graph [layout=neato, inputscale=72, splines=line, outputorder=breadthfirst, pad=0.35]
  graph [bgcolor="#ffffff"]
  node [fontname="Arial", fontsize=13, fontcolor="#0f172a", penwidth=1.4]
  node [shape=box, style="filled,rounded"]"""


if __name__ == "__main__":
    Path(__file__).with_name("order-flow.dot").write_text(draw(), encoding="utf-8")
