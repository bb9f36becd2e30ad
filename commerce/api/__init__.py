"""The HTTP API: Medusa's shapes on the way in and out."""
