"""Kafka to Sanity: applies each change event to its document, effectively once."""
