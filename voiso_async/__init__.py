"""Async Python SDK for the Voiso contact-centre API v4, with bulk lead ingestion at its heart."""
