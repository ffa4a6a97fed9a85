"""What the fork server imports: the learner, with its kernels loaded."""

import learner

import aesg_graph.engine.served  # noqa: F401 - the drivers take half a second

learner.warm_up()
