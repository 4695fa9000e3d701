"""Tests of the shop once more, through the firewall: it lets the shop's own requests pass.

`make edge-test` sends the whole end-to-end suite through it.
"""

from tests.e2e.bad_inputs.conftest import variant_id
from tests.e2e.bad_inputs.test_edge import test_methods_and_types_that_do_not_fit
from tests.e2e.bad_inputs.test_orders import test_a_quantity_is_a_small_positive_number
from tests.e2e.bad_inputs.test_tokens import (
    test_an_identity_header_of_the_client_changes_nothing,
    test_forged_tokens_open_nothing,
)
from tests.e2e.bad_inputs.test_users import (
    test_a_new_address_needs_the_current_password,
    test_a_stale_if_match_is_refused,
    test_a_taken_address_is_taken_in_any_spelling,
    test_nobody_makes_himself_more_than_a_customer,
    test_others_accounts_look_like_unknown_ones,
    test_passwords_have_a_least_length_and_no_silent_cut,
    test_two_defaults_at_once_leave_one,
)
from tests.e2e.test_catalog_flow import (
    guest,
    store,
    test_a_file_goes_out_is_changed_and_comes_back,
)
from tests.e2e.test_order_flow import (
    test_a_cash_order_is_confirmed_at_once_and_delivered_by_the_admin,
    test_a_refused_payment_is_told_and_can_be_tried_again,
    test_an_order_goes_from_the_cart_to_the_mail,
    test_fifty_parallel_requests_with_one_key_make_one_order,
)
from tests.e2e.test_reviews import test_a_buyer_reviews_what_was_bought_and_the_page_shows_it
from tests.e2e.test_search_flow import searches, test_what_becomes_of_a_product_is_seen_by_search

__all__ = [
    "guest",
    "searches",
    "store",
    "test_a_buyer_reviews_what_was_bought_and_the_page_shows_it",
    "test_a_cash_order_is_confirmed_at_once_and_delivered_by_the_admin",
    "test_a_file_goes_out_is_changed_and_comes_back",
    "test_a_new_address_needs_the_current_password",
    "test_a_quantity_is_a_small_positive_number",
    "test_a_refused_payment_is_told_and_can_be_tried_again",
    "test_a_stale_if_match_is_refused",
    "test_a_taken_address_is_taken_in_any_spelling",
    "test_an_identity_header_of_the_client_changes_nothing",
    "test_an_order_goes_from_the_cart_to_the_mail",
    "test_fifty_parallel_requests_with_one_key_make_one_order",
    "test_forged_tokens_open_nothing",
    "test_methods_and_types_that_do_not_fit",
    "test_nobody_makes_himself_more_than_a_customer",
    "test_others_accounts_look_like_unknown_ones",
    "test_passwords_have_a_least_length_and_no_silent_cut",
    "test_two_defaults_at_once_leave_one",
    "test_what_becomes_of_a_product_is_seen_by_search",
    "variant_id",
]
