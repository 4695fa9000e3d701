"""How each item of the mission is broken, one small change of the source for each."""
