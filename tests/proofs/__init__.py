"""`make prove`: each item of the mission is broken, and the tests that prove it must fail."""
