"""The second factor: an authenticator's codes and the recovery codes that stand in for it."""
