"""Orders, partitioned by month, with everything around them."""

from collections.abc import Sequence

from alembic import op

from common_lib.clock import now
from common_lib.consumer import create_inbox
from common_lib.idempotency import create_idempotency_keys
from common_lib.outbox import create_outbox
from order_service.models.partitions import partition_clause

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

OPTIONS = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci"
ORDER_STATUSES = (
    "ENUM('PENDING','CONFIRMED','PROCESSING','SHIPPED','DELIVERED','CANCELLED','REFUNDED')"
)
METHODS = "ENUM('UPI','CARD','NET_BANKING','COD','WALLET')"

COUPONS = f"""
CREATE TABLE coupons (
    id BINARY(16) NOT NULL,
    code VARCHAR(32) NOT NULL,
    description VARCHAR(200),
    type ENUM('PERCENTAGE','FIXED') NOT NULL,
    percent_basis_points INT,
    amount_minor BIGINT,
    max_discount_minor BIGINT,
    min_order_minor BIGINT NOT NULL,
    currency CHAR(3) NOT NULL,
    usage_limit INT,
    per_user_limit SMALLINT NOT NULL,
    used_count INT NOT NULL,
    valid_from DATETIME(6) NOT NULL,
    valid_until DATETIME(6) NOT NULL,
    is_active BOOL NOT NULL,
    version INT NOT NULL,
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_coupons_code UNIQUE (code),
    CONSTRAINT ck_coupons_value_fits_type CHECK (
        (type = 'PERCENTAGE' AND percent_basis_points BETWEEN 1 AND 10000 AND amount_minor IS NULL)
        OR (type = 'FIXED' AND amount_minor > 0 AND percent_basis_points IS NULL)),
    CONSTRAINT ck_coupons_cap_range CHECK (max_discount_minor IS NULL OR max_discount_minor > 0),
    CONSTRAINT ck_coupons_minimum_range CHECK (min_order_minor >= 0),
    CONSTRAINT ck_coupons_limit_range CHECK (usage_limit IS NULL OR usage_limit > 0),
    CONSTRAINT ck_coupons_per_user_limit_range CHECK (per_user_limit > 0),
    CONSTRAINT ck_coupons_used_within_limit CHECK (
        used_count >= 0 AND (usage_limit IS NULL OR used_count <= usage_limit)),
    CONSTRAINT ck_coupons_dates_in_order CHECK (valid_until > valid_from)
) {OPTIONS}
"""

COUPON_REDEMPTIONS = f"""
CREATE TABLE coupon_redemptions (
    coupon_id BINARY(16) NOT NULL,
    user_id BINARY(16) NOT NULL,
    n SMALLINT NOT NULL,
    order_id BINARY(16) NOT NULL,
    created_at DATETIME(6) NOT NULL,
    PRIMARY KEY (coupon_id, user_id, n),
    CONSTRAINT uq_coupon_redemptions_order_id UNIQUE (order_id)
) {OPTIONS}
"""

ORDERS = f"""
CREATE TABLE orders (
    id BINARY(16) NOT NULL,
    created_at DATETIME(6) NOT NULL,
    order_number VARCHAR(24) NOT NULL,
    user_id BINARY(16) NOT NULL,
    email VARCHAR(254) NOT NULL,
    full_name VARCHAR(120) NOT NULL,
    status {ORDER_STATUSES} NOT NULL,
    reservation_id BINARY(16) NOT NULL,
    idempotency_key VARCHAR(255) COLLATE utf8mb4_bin NOT NULL,
    payment_method {METHODS} NOT NULL,
    currency CHAR(3) NOT NULL,
    subtotal_minor BIGINT NOT NULL,
    discount_minor BIGINT NOT NULL,
    tax_minor BIGINT NOT NULL,
    is_tax_included BOOL NOT NULL,
    shipping_minor BIGINT NOT NULL,
    total_minor BIGINT NOT NULL,
    coupon_code VARCHAR(32),
    shipping_address JSON NOT NULL,
    notes VARCHAR(500),
    version INT NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id, created_at),
    INDEX ix_orders_user_id_id (user_id, id),
    INDEX ix_orders_status_id (status, id),
    CONSTRAINT ck_orders_amounts CHECK (subtotal_minor >= 0 AND tax_minor >= 0),
    CONSTRAINT ck_orders_discount_range CHECK (discount_minor BETWEEN 0 AND subtotal_minor),
    CONSTRAINT ck_orders_total_range CHECK (shipping_minor >= 0 AND total_minor >= 0),
    CONSTRAINT ck_orders_total_adds_up CHECK (
        total_minor = subtotal_minor - discount_minor + shipping_minor
            + CASE WHEN is_tax_included THEN 0 ELSE tax_minor END),
    CONSTRAINT ck_orders_version_positive CHECK (version > 0)
) {OPTIONS}
"""

ORDER_NUMBERS = f"""
CREATE TABLE order_numbers (
    order_number VARCHAR(24) NOT NULL,
    order_id BINARY(16) NOT NULL,
    PRIMARY KEY (order_number)
) {OPTIONS}
"""

UNPAID_ORDERS = f"""
CREATE TABLE unpaid_orders (
    user_id BINARY(16) NOT NULL,
    slot SMALLINT NOT NULL,
    order_id BINARY(16) NOT NULL,
    due_at DATETIME(6) NOT NULL,
    PRIMARY KEY (user_id, slot),
    CONSTRAINT uq_unpaid_orders_order_id UNIQUE (order_id),
    INDEX ix_unpaid_orders_due_at (due_at)
) {OPTIONS}
"""

ORDER_ITEMS = f"""
CREATE TABLE order_items (
    id BINARY(16) NOT NULL,
    order_id BINARY(16) NOT NULL,
    line_no SMALLINT NOT NULL,
    variant_id BINARY(16) NOT NULL,
    product_id BINARY(16) NOT NULL,
    seller_id BINARY(16),
    sku VARCHAR(64) NOT NULL,
    name VARCHAR(400) NOT NULL,
    quantity INT NOT NULL,
    unit_price_minor BIGINT NOT NULL,
    line_total_minor BIGINT NOT NULL,
    discount_minor BIGINT NOT NULL,
    tax_minor BIGINT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_order_items_order_id_variant_id UNIQUE (order_id, variant_id),
    INDEX ix_order_items_seller_id_order_id (seller_id, order_id),
    CONSTRAINT ck_order_items_quantity_positive CHECK (quantity > 0),
    CONSTRAINT ck_order_items_unit_price_range CHECK (unit_price_minor >= 0),
    CONSTRAINT ck_order_items_line_adds_up CHECK (line_total_minor = unit_price_minor * quantity),
    CONSTRAINT ck_order_items_discount_range CHECK (
        discount_minor BETWEEN 0 AND line_total_minor),
    CONSTRAINT ck_order_items_tax_range CHECK (tax_minor >= 0)
) {OPTIONS}
"""

ORDER_STATUS_HISTORY = f"""
CREATE TABLE order_status_history (
    id BINARY(16) NOT NULL,
    order_id BINARY(16) NOT NULL,
    order_version INT NOT NULL,
    from_status {ORDER_STATUSES},
    to_status {ORDER_STATUSES} NOT NULL,
    changed_by BINARY(16),
    note VARCHAR(500),
    created_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_order_status_history_order_id_order_version UNIQUE (order_id, order_version)
) {OPTIONS}
"""

PAYMENTS = f"""
CREATE TABLE payments (
    id BINARY(16) NOT NULL,
    order_id BINARY(16) NOT NULL,
    attempt SMALLINT NOT NULL,
    method {METHODS} NOT NULL,
    status ENUM('PENDING','SUCCESS','FAILED','REFUNDED') NOT NULL,
    phase ENUM('INITIATED','REQUESTED','PROCESSING','UNKNOWN','SETTLED') NOT NULL,
    provider VARCHAR(32) NOT NULL,
    provider_payment_id VARCHAR(128),
    provider_token VARCHAR(255),
    currency CHAR(3) NOT NULL,
    amount_minor BIGINT NOT NULL,
    captured_minor BIGINT NOT NULL,
    refunded_minor BIGINT NOT NULL,
    failure_code VARCHAR(64),
    checks SMALLINT NOT NULL,
    next_action_at DATETIME(6),
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_payments_order_id_attempt UNIQUE (order_id, attempt),
    CONSTRAINT uq_payments_provider_provider_payment_id UNIQUE (provider, provider_payment_id),
    INDEX ix_payments_next_action_at (next_action_at),
    CONSTRAINT ck_payments_attempt_positive CHECK (attempt > 0),
    CONSTRAINT ck_payments_amount_range CHECK (amount_minor >= 0),
    CONSTRAINT ck_payments_captured_range CHECK (captured_minor BETWEEN 0 AND amount_minor),
    CONSTRAINT ck_payments_refunded_range CHECK (refunded_minor BETWEEN 0 AND captured_minor)
) {OPTIONS}
"""

PAYMENT_WEBHOOK_EVENTS = f"""
CREATE TABLE payment_webhook_events (
    provider VARCHAR(32) NOT NULL,
    event_id VARCHAR(128) COLLATE utf8mb4_bin NOT NULL,
    payment_id BINARY(16),
    outcome ENUM('APPLIED','IGNORED','QUARANTINED') NOT NULL,
    reason VARCHAR(64),
    payload JSON NOT NULL,
    received_at DATETIME(6) NOT NULL,
    PRIMARY KEY (provider, event_id),
    INDEX ix_payment_webhook_events_outcome (outcome)
) {OPTIONS}
"""

SHIPMENTS = f"""
CREATE TABLE shipments (
    id BINARY(16) NOT NULL,
    order_id BINARY(16) NOT NULL,
    status ENUM('PREPARING','PICKED_UP','IN_TRANSIT','OUT_FOR_DELIVERY','DELIVERED','FAILED')
        NOT NULL,
    carrier VARCHAR(64),
    tracking_number VARCHAR(64),
    shipped_at DATETIME(6),
    delivered_at DATETIME(6),
    version INT NOT NULL,
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_shipments_carrier_tracking_number UNIQUE (carrier, tracking_number),
    INDEX ix_shipments_order_id (order_id),
    CONSTRAINT ck_shipments_version_positive CHECK (version > 0)
) {OPTIONS}
"""

RETURNS_REFUNDS = f"""
CREATE TABLE returns_refunds (
    id BINARY(16) NOT NULL,
    order_id BINARY(16) NOT NULL,
    order_item_id BINARY(16),
    payment_id BINARY(16),
    type ENUM('RETURN','REFUND','EXCHANGE') NOT NULL,
    status ENUM('REQUESTED','APPROVED','PICKED_UP','RECEIVED','REFUNDED','REJECTED') NOT NULL,
    quantity INT,
    currency CHAR(3) NOT NULL,
    amount_minor BIGINT NOT NULL,
    reason VARCHAR(500) NOT NULL,
    provider_refund_id VARCHAR(128),
    requested_by BINARY(16),
    attempts SMALLINT NOT NULL,
    next_action_at DATETIME(6),
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    INDEX ix_returns_refunds_order_id (order_id),
    INDEX ix_returns_refunds_next_action_at (next_action_at),
    CONSTRAINT ck_returns_refunds_amount_range CHECK (amount_minor >= 0),
    CONSTRAINT ck_returns_refunds_quantity_positive CHECK (quantity IS NULL OR quantity > 0),
    CONSTRAINT ck_returns_refunds_refund_has_payment CHECK (
        type <> 'REFUND' OR payment_id IS NOT NULL),
    CONSTRAINT fk_returns_refunds_order_item_id
        FOREIGN KEY (order_item_id) REFERENCES order_items (id),
    CONSTRAINT fk_returns_refunds_payment_id FOREIGN KEY (payment_id) REFERENCES payments (id)
) {OPTIONS}
"""

TABLES = (
    COUPONS,
    COUPON_REDEMPTIONS,
    ORDER_NUMBERS,
    UNPAID_ORDERS,
    ORDER_ITEMS,
    ORDER_STATUS_HISTORY,
    PAYMENTS,
    PAYMENT_WEBHOOK_EVENTS,
    SHIPMENTS,
    RETURNS_REFUNDS,
)


def upgrade() -> None:
    op.execute(ORDERS + partition_clause(now()))
    for table in TABLES:
        op.execute(table)
    create_outbox(op)
    create_inbox(op)
    create_idempotency_keys(op)


def downgrade() -> None:
    for table in (
        "idempotency_keys",
        "inbox",
        "outbox",
        "returns_refunds",
        "shipments",
        "payment_webhook_events",
        "payments",
        "order_status_history",
        "order_items",
        "unpaid_orders",
        "order_numbers",
        "coupon_redemptions",
        "coupons",
        "orders",
    ):
        op.drop_table(table)
