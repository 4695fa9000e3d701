"""Categories in files: by slug or by path, and never by a guess."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog_service.models.categories import Category
from catalog_service.services.imports.categories import CategoryNames, NoCategory
from common_lib.ids import new_id


def tree(*paths: tuple[str, ...]) -> tuple[dict[tuple[str, ...], UUID], CategoryNames]:
    """Return the ids by path, and the names of a tree; each slug is the id."""
    ids: dict[tuple[str, ...], UUID] = {}
    rows = []
    for path in paths:
        for depth in range(1, len(path) + 1):
            if path[:depth] in ids:
                continue
            own = ids[path[:depth]] = new_id()
            parent = ids.get(path[: depth - 1])
            rows.append(Category(id=own, parent_id=parent, name=path[depth - 1], slug=own.hex))
    return ids, CategoryNames.of(rows)


def written(path: tuple[str, ...]) -> str:
    return " > ".join(name.replace("\\", "\\\\").replace(">", "\\>") for name in path)


CABLES = ("Electronics", "Cables > 2 m")


@pytest.mark.parametrize(
    "text",
    [
        r"Electronics > Cables \> 2 m",
        r"electronics>CABLES \>  2 m",
        r"> Electronics > Cables \> 2 m",
        "\u00a0Electronics\u00a0> Cables\u00a0\\> 2 m ",
    ],
)
def test_a_backslash_keeps_the_separator_in_a_name(text: str) -> None:
    ids, names = tree(CABLES)
    assert names.find(text) == ids[CABLES]


@pytest.mark.parametrize(
    "text", ["Electronics > Cables > 2 m", "Electronics >", "> ", "", "Electronics > > 2 m", "\\"]
)
def test_a_path_that_names_nothing_is_refused(text: str) -> None:
    _, names = tree(CABLES)
    with pytest.raises(NoCategory) as refused:
        names.find(text)
    assert refused.value.code == "unknown_category"


def test_a_path_that_could_be_two_is_refused_until_it_says_which() -> None:
    ids, names = tree(CABLES, ("Electronics", "Cables", "2 m"))
    with pytest.raises(NoCategory) as refused:
        names.find("Electronics > Cables > 2 m")
    assert refused.value.code == "ambiguous_category"
    assert names.find(r"Electronics > Cables \> 2 m") == ids[CABLES]
    assert names.find("> Electronics > Cables > 2 m") == ids["Electronics", "Cables", "2 m"]


def test_a_slug_that_is_also_the_name_of_a_root_is_refused_until_it_says_which() -> None:
    shirts, other = new_id(), new_id()
    names = CategoryNames.of(
        [
            Category(id=shirts, parent_id=None, name="Shirts", slug="tops"),
            Category(id=other, parent_id=None, name="Others", slug="shirts"),
        ]
    )
    with pytest.raises(NoCategory) as refused:
        names.find("shirts")
    assert refused.value.code == "ambiguous_category"
    assert names.find("slug:shirts") == other == names.find(names.slug_text("shirts"))
    assert names.find("> shirts") == shirts == names.find(names.slug_text("tops"))


def test_a_slug_that_is_the_name_of_its_own_root_is_one_category() -> None:
    own = new_id()
    names = CategoryNames.of([Category(id=own, parent_id=None, name="Shirts", slug="shirts")])
    assert names.find("Shirts") == own
    assert names.slug_text("shirts") == "shirts"


NAMES = st.text("ab>\\ 2=", min_size=1, max_size=6).map(str.strip).filter(bool)


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=5))
def test_every_category_is_found_by_its_path_and_by_what_an_export_writes(
    paths: list[tuple[str, ...]],
) -> None:
    folded = {tuple(" ".join(name.split()) for name in path) for path in paths}
    ids, names = tree(*sorted(folded))
    for path, category_id in ids.items():
        assert names.find(f"> {written(path)}") == category_id
        assert names.find(names.slug_text(category_id.hex)) == category_id
