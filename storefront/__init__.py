"""The shop: merges commerce and content on one page. It knows both over HTTP only."""
