"""The parts of the digits demo: what is learned (data), who learns it (networks, memories, stored), how it is told."""
