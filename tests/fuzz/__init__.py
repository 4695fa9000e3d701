"""Requests generated from the OpenAPI documents, sent through the gateway of a real stack."""
