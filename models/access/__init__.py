"""Access: who may call, with which secret, and what was called."""
