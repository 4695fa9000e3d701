"""The order service's endpoints."""

from order_service.api import carts, coupons, orders, payments

ROUTERS = (carts.router, orders.router, payments.router, coupons.router)
ROUTES = (orders.place_route,)
