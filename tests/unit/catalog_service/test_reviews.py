"""What becomes of a review, and the arithmetic of ratings."""

from decimal import Decimal
from fractions import Fraction

import pytest

from catalog_service.models.reviews import (
    MODERATION_MOVES,
    IllegalReviewMove,
    Review,
    ReviewStatus,
    average,
)
from common_lib.clock import now
from common_lib.ids import new_id


@pytest.mark.parametrize(
    ("stars", "count", "expected"),
    [
        (0, 0, "0"),
        (5, 1, "5.00"),
        (14, 3, "4.67"),
        (39, 8, "4.88"),  # 4.875
        (801, 200, "4.01"),  # 4.005
        (400_499, 100_000, "4.00"),  # 4.00499, which AVG would have made 4.0050
    ],
)
def test_an_average_has_two_decimals_rounded_half_up_once(
    stars: int, count: int, expected: str
) -> None:
    assert average(stars, count) == Decimal(expected)


def test_an_average_is_what_the_audit_computes_in_whole_numbers() -> None:
    for count in range(1, 60):
        for stars in range(count, 5 * count + 1):
            hundredths = (200 * stars + count) // (2 * count)
            assert Fraction(average(stars, count)) == Fraction(hundredths, 100)


def test_a_moderator_may_change_their_mind_and_never_makes_a_review_wait_again() -> None:
    assert {
        ReviewStatus.PENDING: {ReviewStatus.APPROVED, ReviewStatus.REJECTED},
        ReviewStatus.APPROVED: {ReviewStatus.REJECTED},
        ReviewStatus.REJECTED: {ReviewStatus.APPROVED},
    } == MODERATION_MOVES


def review(status: ReviewStatus) -> Review:
    return Review(
        id=new_id(),
        status=status,
        rating=5,
        title="",
        body="x",
        moderation_note="an earlier verdict",
        moderated_by=new_id(),
        moderated_at=now(),
    )


@pytest.mark.parametrize("status", list(ReviewStatus))
@pytest.mark.parametrize("verdict", list(ReviewStatus))
def test_a_verdict_follows_the_moves(status: ReviewStatus, verdict: ReviewStatus) -> None:
    judged, moderator, moment = review(status), new_id(), now()
    if verdict not in MODERATION_MOVES[status]:
        with pytest.raises(IllegalReviewMove):
            judged.moderate(verdict, note="", by=moderator, at=now())
        assert judged.status is status
        return
    judged.moderate(verdict, note="why", by=moderator, at=moment)
    assert (judged.status, judged.moderated_by) == (verdict, moderator)
    assert (judged.moderation_note, judged.moderated_at) == ("why", moment)
    assert judged.updated_at == moment


@pytest.mark.parametrize("status", list(ReviewStatus))
def test_an_edit_asks_for_a_new_verdict(status: ReviewStatus) -> None:
    edited, moment = review(status), now()
    edited.edit(rating=1, title="t", body="b", at=moment)
    assert (edited.rating, edited.title, edited.body) == (1, "t", "b")
    assert edited.updated_at == moment
    assert edited.status is ReviewStatus.PENDING
    assert (edited.moderated_by, edited.moderated_at, edited.moderation_note) == (None, None, "")
