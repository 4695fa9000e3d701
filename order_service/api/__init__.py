"""The order service's endpoints."""

from order_service.api import carts, coupons, orders, payments, people

ROUTERS = (
    carts.router,
    carts.internal,
    orders.router,
    payments.router,
    coupons.router,
    people.router,
)
ROUTES = (orders.place_route,)
