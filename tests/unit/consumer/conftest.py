"""Property tests without a clock: this machine may be busy. The same examples each time."""

import hypothesis

hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.load_profile("steady")
