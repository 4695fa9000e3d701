"""Where a category may hang: never below itself, never deeper than the tree may be."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog_service.models.categories import (
    MAX_DEPTH,
    Category,
    CategoryCycle,
    CategoryTooDeep,
    Hierarchy,
)
from common_lib.ids import new_id


def tree(parents: Sequence[int | None]) -> tuple[Hierarchy, list[UUID]]:
    """Return a hierarchy in which each category names the place of its parent in the list."""
    ids = [new_id() for _ in parents]
    rows = [
        Category(id=own, parent_id=None if parent is None else ids[parent], name="", slug="")
        for own, parent in zip(ids, parents, strict=True)
    ]
    return Hierarchy(rows), ids


def chain(length: int) -> tuple[Hierarchy, list[UUID]]:
    return tree([None, *range(length - 1)])


def test_a_path_leads_from_a_category_to_its_root() -> None:
    hierarchy, (root, middle, leaf) = chain(3)
    assert hierarchy.path(leaf) == [leaf, middle, root]
    assert hierarchy.path(None) == []


def test_the_height_of_a_branch_is_that_of_its_longest_way_down() -> None:
    hierarchy, ids = tree([None, 0, 1, 0, None])
    assert [hierarchy.height(each) for each in ids] == [3, 2, 1, 1, 1]


@pytest.mark.parametrize("below", [0, 1, 2])
def test_a_category_does_not_go_below_itself(below: int) -> None:
    hierarchy, ids = chain(3)
    with pytest.raises(CategoryCycle):
        hierarchy.check_place(ids[0], ids[below])


def test_a_category_may_go_to_a_sibling_to_its_own_parent_or_to_the_top() -> None:
    hierarchy, (root, one, other) = tree([None, 0, 0])
    for parent in (other, root, None):
        hierarchy.check_place(one, parent)


def test_a_new_category_may_be_the_last_level_and_not_one_below() -> None:
    hierarchy, ids = chain(MAX_DEPTH)
    hierarchy.check_place(None, ids[-2])
    with pytest.raises(CategoryTooDeep):
        hierarchy.check_place(None, ids[-1])


def test_a_branch_takes_its_whole_height_along() -> None:
    hierarchy, ids = tree([None, *range(MAX_DEPTH - 3), None, MAX_DEPTH - 2])
    branch, leaf = ids[MAX_DEPTH - 2], ids[MAX_DEPTH - 3]
    hierarchy.check_place(branch, leaf)
    with pytest.raises(CategoryTooDeep):
        Hierarchy(
            [
                *hierarchy.by_id.values(),
                Category(id=new_id(), parent_id=ids[-1], name="", slug=""),
            ]
        ).check_place(branch, leaf)


def test_a_circle_that_got_into_the_rows_hangs_nobody() -> None:
    hierarchy, ids = tree([1, 0])
    assert len(hierarchy.path(ids[0])) <= 3


@given(st.data())
def test_after_any_moves_every_category_still_hangs_below_a_root(data: st.DataObject) -> None:
    hierarchy, ids = tree([None] * 12)
    for _ in range(40):
        moved = data.draw(st.sampled_from(ids))
        parent = data.draw(st.sampled_from([None, *ids]))
        try:
            hierarchy.check_place(moved, parent)
        except (CategoryCycle, CategoryTooDeep):
            continue
        hierarchy.by_id[moved].parent_id = parent
    paths = [hierarchy.path(each) for each in ids]
    assert all(hierarchy.by_id[path[-1]].parent_id is None for path in paths)
    assert max(map(len, paths)) <= MAX_DEPTH
