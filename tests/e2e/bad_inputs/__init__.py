"""The families Edge, JSON, User and Cart/order of the bad inputs, through the gateway."""
