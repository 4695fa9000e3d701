"""The invariants that one database can answer for: each a query for the rows that break it."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """An invariant of one database: a sentence and a query for the rows that break it."""

    database: str
    sentence: str
    query: str


RULES: Final = (
    Rule(
        "catalog",
        "0 <= reserved <= quantity for every variant",
        "SELECT variant_id FROM inventory WHERE reserved < 0 OR reserved > quantity",
    ),
    Rule(
        "catalog",
        "reserved is the sum of what live reservations hold",
        "SELECT i.variant_id FROM inventory i LEFT JOIN ("
        "  SELECT l.variant_id, SUM(l.quantity) AS held FROM reservation_lines l"
        "  JOIN reservations r ON r.id = l.reservation_id"
        "  WHERE r.status IN ('HELD', 'COMMITTED') GROUP BY l.variant_id"
        ") h ON h.variant_id = i.variant_id WHERE i.reserved <> COALESCE(h.held, 0)",
    ),
    Rule(
        "catalog",
        "the ledger adds up to the stock",
        "SELECT i.variant_id FROM inventory i LEFT JOIN ("
        "  SELECT variant_id, SUM(quantity_delta) AS quantity, SUM(reserved_delta) AS reserved"
        "  FROM stock_movements GROUP BY variant_id"
        ") m ON m.variant_id = i.variant_id"
        " WHERE i.quantity <> COALESCE(m.quantity, 0) OR i.reserved <> COALESCE(m.reserved, 0)",
    ),
    Rule(
        "catalog",
        "initial + restocked = available + held + committed + consumed",
        "SELECT i.variant_id FROM inventory i LEFT JOIN ("
        "  SELECT variant_id, SUM(quantity_delta) AS brought FROM stock_movements"
        "  WHERE kind IN ('INITIAL', 'RESTOCK', 'CORRECTION') GROUP BY variant_id"
        ") m ON m.variant_id = i.variant_id LEFT JOIN ("
        "  SELECT l.variant_id, SUM(l.quantity) AS taken FROM reservation_lines l"
        "  JOIN reservations r ON r.id = l.reservation_id"
        "  WHERE r.status IN ('HELD', 'COMMITTED', 'CONSUMED') GROUP BY l.variant_id"
        ") t ON t.variant_id = i.variant_id"
        " WHERE COALESCE(m.brought, 0) <> (i.quantity - i.reserved) + COALESCE(t.taken, 0)",
    ),
    Rule(
        "catalog",
        "no reservation is held past its time",
        "SELECT id FROM reservations WHERE status = 'HELD'"
        " AND expires_at < UTC_TIMESTAMP(6) - INTERVAL 60 SECOND",
    ),
    Rule(
        "catalog",
        "what was bought is what consumed reservations hold",
        "SELECT c.order_id FROM ("
        "  SELECT r.order_id, l.product_id, SUM(l.quantity) AS units FROM reservations r"
        "  JOIN reservation_lines l ON l.reservation_id = r.id WHERE r.status = 'CONSUMED'"
        "  GROUP BY r.order_id, l.product_id"
        ") c LEFT JOIN purchases b ON b.order_id = c.order_id AND b.product_id = c.product_id"
        " WHERE b.quantity IS NULL OR b.quantity <> c.units"
        " UNION SELECT order_id FROM purchases WHERE order_id NOT IN ("
        "  SELECT order_id FROM reservations WHERE status = 'CONSUMED')",
    ),
    Rule(
        "catalog",
        "a product's total sold is the sum of its purchases",
        "SELECT p.id FROM products p LEFT JOIN ("
        "  SELECT product_id, SUM(quantity) AS units FROM purchases GROUP BY product_id"
        ") b ON b.product_id = p.id WHERE p.total_sold <> COALESCE(b.units, 0)",
    ),
    Rule(
        "catalog",
        "a product's rating is the mean of its approved reviews",
        "SELECT p.id FROM products p LEFT JOIN ("
        "  SELECT product_id, COUNT(*) AS n, SUM(rating) AS stars FROM reviews"
        "  WHERE status = 'APPROVED' GROUP BY product_id"
        ") r ON r.product_id = p.id WHERE p.review_count <> COALESCE(r.n, 0)"
        " OR 100 * p.avg_rating <> COALESCE((200 * r.stars + r.n) DIV (2 * r.n), 0)",
    ),
    Rule(
        "catalog",
        "the catalog's outbox is empty",
        "SELECT id FROM outbox WHERE published_at IS NULL",
    ),
    Rule(
        "user",
        "the user service's outbox is empty",
        "SELECT id FROM outbox WHERE published_at IS NULL",
    ),
    Rule(
        "order",
        "the order service's outbox is empty",
        "SELECT id FROM outbox WHERE published_at IS NULL",
    ),
    Rule(
        "order",
        "every placed key has exactly one order",
        "SELECT k.subject_id FROM idempotency_keys k LEFT JOIN orders o ON o.id = k.subject_id"
        " WHERE k.scope = 'order' AND k.state = 'PLACED' AND o.id IS NULL",
    ),
    Rule(
        "order",
        "every order has exactly one placed key",
        "SELECT o.id FROM orders o LEFT JOIN idempotency_keys k"
        " ON k.scope = 'order' AND k.subject_id = o.id AND k.state = 'PLACED'"
        " WHERE k.subject_id IS NULL",
    ),
    Rule(
        "order",
        "no reservation serves two orders",
        "SELECT reservation_id FROM orders GROUP BY reservation_id HAVING COUNT(*) > 1",
    ),
    Rule(
        "order",
        "every order has lines that add up to its subtotal",
        "SELECT o.id FROM orders o LEFT JOIN ("
        "  SELECT order_id, SUM(line_total_minor) AS subtotal FROM order_items GROUP BY order_id"
        ") i ON i.order_id = o.id WHERE o.subtotal_minor <> COALESCE(i.subtotal, -1)",
    ),
    Rule(
        "order",
        "a coupon's count is its redemptions and within its limit",
        "SELECT c.id FROM coupons c LEFT JOIN ("
        "  SELECT coupon_id, COUNT(*) AS used FROM coupon_redemptions GROUP BY coupon_id"
        ") r ON r.coupon_id = c.id WHERE c.used_count <> COALESCE(r.used, 0)"
        " OR (c.usage_limit IS NOT NULL AND c.used_count > c.usage_limit)",
    ),
    Rule(
        "order",
        "captures less refunds are what is due",
        "SELECT o.id FROM orders o LEFT JOIN ("
        "  SELECT order_id, SUM(captured_minor - refunded_minor) AS kept FROM payments"
        "  GROUP BY order_id"
        ") p ON p.order_id = o.id WHERE COALESCE(p.kept, 0) <> CASE"
        "  WHEN o.status IN ('PENDING', 'CANCELLED', 'REFUNDED') THEN 0"
        "  WHEN o.payment_method = 'COD' AND o.status <> 'DELIVERED' THEN 0"
        "  ELSE o.total_minor END"
        " AND NOT (o.status IN ('CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED')"
        "  AND COALESCE(p.kept, 0) BETWEEN 1 AND o.total_minor"
        "  AND EXISTS (SELECT 1 FROM payments r WHERE r.order_id = o.id AND r.refunded_minor > 0))",
    ),
    Rule(
        "order",
        "a history is a chain that ends in the order's status",
        "SELECT o.id FROM orders o LEFT JOIN order_status_history h"
        " ON h.order_id = o.id AND h.order_version = ("
        "  SELECT MAX(l.order_version) FROM order_status_history l WHERE l.order_id = o.id)"
        " WHERE h.to_status IS NULL OR h.to_status <> o.status",
    ),
    Rule(
        "order",
        "histories follow the state graph",
        "SELECT order_id FROM order_status_history WHERE"
        " COALESCE(CONCAT(from_status, '>', to_status), to_status) NOT IN ('PENDING',"
        " 'PENDING>CONFIRMED', 'PENDING>CANCELLED', 'CONFIRMED>PROCESSING', 'CONFIRMED>SHIPPED',"
        " 'CONFIRMED>CANCELLED', 'PROCESSING>SHIPPED', 'PROCESSING>CANCELLED',"
        " 'SHIPPED>DELIVERED', 'SHIPPED>REFUNDED', 'DELIVERED>REFUNDED')",
    ),
    Rule(
        "notification",
        "no mail is stuck",
        "SELECT id FROM notification_logs WHERE status NOT IN ('SENT')"
        " AND created_at < UTC_TIMESTAMP(6) - INTERVAL 60 SECOND",
    ),
    Rule(
        "notification",
        "no order got the same mail twice",
        "SELECT order_id FROM notification_logs"
        " WHERE order_id IS NOT NULL AND event_type = 'ORDER_CREATED'"
        " GROUP BY order_id HAVING COUNT(*) > 1",
    ),
    Rule(
        "catalog",
        "nobody was told OUT_OF_STOCK while units were free",
        "SELECT id FROM outbox WHERE event_type = 'OUT_OF_STOCK'"
        " AND JSON_EXTRACT(CONVERT(body USING utf8mb4), '$.data.available') <> 0",
    ),
    Rule(
        "order",
        "a key has one order at most",
        "SELECT MIN(id) FROM orders GROUP BY user_id, idempotency_key HAVING COUNT(*) > 1",
    ),
    Rule(
        "order",
        "each step of a history begins where the one before it ended",
        "SELECT order_id FROM (SELECT order_id, from_status, LAG(to_status) OVER"
        "  (PARTITION BY order_id ORDER BY order_version) AS status_before"
        "  FROM order_status_history) h WHERE NOT (from_status <=> status_before)",
    ),
    Rule(
        "order",
        "an order that was given back in full is over",
        "SELECT o.id FROM orders o JOIN ("
        "  SELECT order_id FROM payments GROUP BY order_id"
        "  HAVING SUM(captured_minor) > 0 AND SUM(captured_minor) = SUM(refunded_minor)"
        "  AND SUM(status = 'SUCCESS') = 0"
        ") p ON p.order_id = o.id WHERE o.status NOT IN ('CANCELLED', 'REFUNDED')",
    ),
    Rule(
        "order",
        "a payment counts as given back when all of it was",
        "SELECT id FROM payments WHERE status = 'REFUNDED' AND refunded_minor <> captured_minor"
        " UNION SELECT id FROM payments WHERE captured_minor > 0"
        " AND status NOT IN ('SUCCESS', 'REFUNDED')",
    ),
)
