"""What the fork server imports: the learner, with its kernels loaded."""

import learner

learner.warm_up()
