"""`make demo`: the main job on real servers, step by step."""
