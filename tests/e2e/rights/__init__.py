"""Who may call the user, order and notification service, and what the gateway lets through."""
