"""`make mutate`: small faults are put into the pure rules; a test must notice each of them."""
