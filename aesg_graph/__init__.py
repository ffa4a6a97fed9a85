"""aesg-graph: external memory for neural networks and agents that people can look into."""
