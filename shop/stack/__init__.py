"""The local stack: the parts, the processes and the two ways to run them."""
