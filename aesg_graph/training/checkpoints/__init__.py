"""Checkpoints: everything that training needs to go on, in one folder, without a pickle.

``folder`` writes folders whole and checks every file of them; ``tree`` turns states into safetensors; ``writing`` and
``reading`` put together what is in a checkpoint.
"""
